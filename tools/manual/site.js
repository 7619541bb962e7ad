// Searches the headings of all pages; they lie in headings.js. Works from a file as well as from a server.
(() => {
  const field = document.getElementById("search"), list = document.getElementById("found");
  const menu = document.getElementById("menu"), root = document.documentElement.dataset.root;
  if (matchMedia("(max-width: 50rem)").matches) menu.open = false;
  field.hidden = false;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words.length ? HEADINGS.filter(([, , key]) => words.every((word) => key.includes(word))) : [];
    list.replaceChildren(...hits.slice(0, 30).map(([url, text, , page]) => {
      const item = document.createElement("li"), link = document.createElement("a"), where = document.createElement("small");
      link.href = root + url; link.textContent = text; where.textContent = page; link.append(where); item.append(link);
      return item;
    }));
    if (words.length && !hits.length) list.textContent = "Nothing is called so.";
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
    if (event.key === "Escape" && document.activeElement === field) { field.value = ""; list.replaceChildren(); }
    if (event.key === "Enter" && document.activeElement === field) list.querySelector("a")?.click();
  });
})();
