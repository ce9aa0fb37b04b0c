// Shows the rows that hold all words of the filter.
const filter = document.querySelector(".filter"), box = filter.querySelector("input"), told = filter.querySelector("[role]");
const rows = [...document.querySelectorAll("table.index tbody tr")];
filter.hidden = false;
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  told.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
});

// Sorts a table by the column whose heading is clicked: numbers as numbers, dates and names as text.
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const heading = button.closest("th"), column = [...heading.parentElement.children].indexOf(heading);
  const body = button.closest("table").tBodies[0], up = heading.ariaSort !== "ascending";
  for (const other of heading.parentElement.children) other.ariaSort = null;
  heading.ariaSort = up ? "ascending" : "descending";
  const value = (row) => row.children[column].dataset.value ?? row.children[column].textContent;
  const order = (a, b) => {
    const [x, y] = [value(a), value(b)], difference = x - y;
    return Number.isNaN(difference) ? x.localeCompare(y) : difference;
  };
  body.append(...[...body.rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
});
