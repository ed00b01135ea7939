"use strict";
// Tables with class "sortable": a button in every heading sorts by its column. The sort is stable and knows numbers.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("thead th")) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.sort ?? cell.textContent.trim();
      };
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        const numbers = x !== "" && y !== "" && !isNaN(x) && !isNaN(y);
        return numbers ? x - y : x.localeCompare(y);
      };
      const rows = [...body.rows].sort((a, b) => (ascending ? compare(a, b) : compare(b, a)));
      body.append(...rows);
    });
  });
}

// A phone gets its sections folded. A table that is too wide for it becomes a list with a part per row; on a larger
// screen, long words in it break. The confusion matrix stays as it is. Whatever can still be scrolled sideways says so.
const phone = matchMedia("(max-width: 46rem)");
const boxes = document.querySelectorAll(".scroll");
for (const table of document.querySelectorAll(".scroll > table:not(.matrix)")) {
  const names = [...(table.tHead?.rows[0].cells ?? [])].map((heading) => heading.textContent.trim());
  for (const row of table.querySelectorAll("tbody tr, tfoot tr"))
    [...row.cells].forEach((cell, column) => names[column] && (cell.dataset.label = names[column]));
}
const fit = () => {
  for (const box of boxes) {
    const table = box.querySelector("table");
    table.classList.remove("stack", "breaks");
    const wide = () => box.scrollWidth > box.clientWidth + 1;
    if (!table.matches(".matrix") && wide()) table.classList.add(phone.matches && table.tHead ? "stack" : "breaks");
    box.classList.toggle("scrolls", wide());
  }
};
const folds = document.querySelectorAll("details.fold");
const fold = () => folds.forEach((part) => (part.open = !phone.matches || part.parentElement.id === "metrics"));
const unfold = () => {
  const part = document.getElementById(location.hash.slice(1))?.querySelector("details.fold");
  if (part) part.open = true;
};
fold();
unfold();
fit();
addEventListener("hashchange", unfold);
for (const link of document.querySelectorAll("nav a")) link.addEventListener("click", () => setTimeout(unfold)); // the same link again
document.addEventListener("toggle", fit, true);
phone.addEventListener("change", fold);
addEventListener("resize", fit);
// Print the content of closed <details> too.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
