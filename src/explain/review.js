"use strict";
(() => {
  const index = JSON.parse(document.getElementById("index").textContent);
  const rows = index.map(({ id, row }) => ({ id: id.toLowerCase(), element: document.getElementById(row) }));
  const search = document.getElementById("search");
  if (!search) return; // a page without customers
  const found = document.getElementById("found");
  const missing = document.getElementById("missing");
  const matches = () => {
    const wanted = search.value.trim().toLowerCase();
    return rows.filter(({ id }) => id.includes(wanted));
  };
  const show = () => {
    const kept = new Set(matches());
    for (const row of rows) row.element.hidden = !kept.has(row);
    found.textContent = search.value.trim() ? `${kept.size} of ${rows.length} shown` : "";
    missing.hidden = kept.size > 0 || rows.length === 0;
  };
  search.addEventListener("input", show);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      show();
    }
    if (event.key !== "Enter") return;
    const wanted = search.value.trim().toLowerCase();
    const kept = matches();
    const first = kept.find(({ id }) => id === wanted) || kept[0];
    if (!wanted || !first) return;
    event.preventDefault(); // or the same key press would close it again
    first.element.open = true;
    first.element.querySelector("summary").focus();
  });
  const openTarget = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();
})();
