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
