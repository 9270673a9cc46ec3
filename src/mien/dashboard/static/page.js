// Small pieces of the page. Text is always set as text, never as HTML.

export const find = (selector) => document.querySelector(selector);

export const percent = (value) => `${(100 * value).toFixed(1)} %`;

export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (properties.role) element.setAttribute("role", properties.role);
  element.append(...children);
  return element;
}

export function table(heads, rows) {
  const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell))));
  return el("div", { className: "scroll" },
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)));
}
