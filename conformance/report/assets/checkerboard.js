"use strict";
/* How many stamps reach each element of an answer, for a kernel and stride of one's choice. */
document.addEventListener("DOMContentLoaded", () => {
  const INPUTS = 5, SIZE = 26, NS = "http://www.w3.org/2000/svg";
  const form = document.getElementById("overlap"), board = document.getElementById("board"), rule = document.getElementById("rule");
  const value = (id) => {
    const input = document.getElementById(id);
    return Math.min(Math.max(Math.round(Number(input.value)) || 1, Number(input.min)), Number(input.max));
  };

  function counts(k, s, d) {
    const found = new Array((INPUTS - 1) * s + d * (k - 1) + 1).fill(0);
    for (let i = 0; i < INPUTS; i++) for (let t = 0; t < k; t++) found[i * s + t * d]++;
    return found;
  }

  function part(name, attributes, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, each] of Object.entries(attributes)) made.setAttribute(key, each);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function draw() {
    const k = value("k"), s = value("s"), d = value("d"), axis = counts(k, s, d);
    const per = new Array(s).fill(0);
    for (let t = 0; t < k; t++) per[(t * d) % s]++;
    const even = new Set(per).size === 1, largest = Math.max(...axis) ** 2;
    rule.textContent = `${k} % ${s} = ${k % s}: ${even ? "every element inside is reached equally often" : "a checkerboard"}; `
      + `taps on each remainder of the stride: ${per.join(", ")}.`;
    const side = axis.length * SIZE + 2;
    const svg = part("svg", { class: "grid board", role: "img", width: side, height: side, viewBox: `0 0 ${side} ${side}`,
      "aria-label": `stamps that reach each element, along one axis: ${axis.join(" ")}; an element of the square has the product of its row's and its column's` });
    axis.forEach((a, y) => axis.forEach((b, x) => {
      const share = largest ? (a * b) / largest : 0;
      svg.append(part("rect", { class: "overlap", x: x * SIZE + 1, y: y * SIZE + 1, width: SIZE, height: SIZE, "fill-opacity": (share * 0.5).toFixed(2) }),
        part("text", { x: x * SIZE + SIZE / 2 + 1, y: y * SIZE + 18 }, String(a * b)));
    }));
    board.replaceChildren(svg);
  }
  form.addEventListener("input", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  draw();
});
