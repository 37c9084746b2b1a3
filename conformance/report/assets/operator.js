"use strict";
/* One axis of a transposed convolution, for arguments of one's choice: its stamps, its window, its size, its calls. */
window.conformance = window.conformance || {};
(function (site) {
  const NS = "http://www.w3.org/2000/svg", CELL = 26, LABEL = 76, SHOWN = 48;

  /* What arguments of PyTorch's meaning amount to: extents, the window (lo, hi), and the taps that meet in each row. */
  site.axis = ({ i, k, s, p, op, d }) => {
    const full = (i - 1) * s + d * (k - 1) + 1, lo = p, hi = p - op, output = full - lo - hi;
    const meet = new Array(full).fill(0);
    for (let n = 0; n < i; n++) for (let t = 0; t < k; t++) meet[n * s + t * d]++;
    const inside = Array.from({ length: s }, (_, rest) => Array.from({ length: k }, (_, t) => t).filter((t) => (t * d) % s === rest).length);
    return { i, k, s, p, op, d, full, lo, hi, output, meet, inside };
  };

  /* The call of each framework with exactly this window, or why no call has it. */
  site.calls = (a) => {
    const { i, k, s, p, op, d, full, lo, hi, output } = a, total = full - output;
    const cut = lo || hi > 0 ? `[:, ${lo}:${lo + output}]` : "", rows = full + Math.max(-hi, 0);
    const tf = (size, padding) => `tf.nn.conv1d_transpose(x, w, output_shape=(1, ${size}, 1), strides=${s}, padding="${padding}", dilations=${d})`;
    const keras = (padding) => `keras.layers.Conv1DTranspose(1, ${k}, strides=${s}, padding="${padding}", dilation_rate=${d})`;
    const same = total >= 0 && lo === Math.floor(total / 2) && Math.ceil(output / s) === i;
    const reaches = d * (k - 1) + 1 >= s;
    return [
      ["PyTorch", op < Math.max(s, d) ? `F.conv_transpose1d(x, w, stride=${s}, padding=${p}, output_padding=${op}, dilation=${d})` : "",
        "output_padding has to be smaller than the stride or the dilation"],
      ["TensorFlow", same ? tf(output, "SAME") : -hi < s ? `${tf(rows, "VALID")}${cut}` : "",
        "no output_shape gives as many rows at the end back"],
      ["Keras", s > 1 && d > 1 ? "" : same && output === i * s ? keras("same") : hi >= 0 && reaches ? `${keras("valid")}(x)${cut}` : "",
        s > 1 && d > 1 ? "a layer refuses strides and a dilation_rate above 1 together" : "pad the answer of padding=\"valid\" with zeros"],
      ["JAX", `jax.lax.conv_transpose(x, jnp.flip(w, 0), (${s},), [(${d * (k - 1) - lo}, ${d * (k - 1) - hi})], rhs_dilation=(${d},))`],
      ["MXNet", op < s ? `mx.nd.Deconvolution(x, w, kernel=(${k},), stride=(${s},), pad=(${p},), adj=(${op},), dilate=(${d},), num_filter=1)` : "",
        "adj has to be smaller than the stride"],
    ];
  };

  const element = (name, attributes, text) => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  /* Rows of cells on one scale: each input's stamp, the whole stamp, and the output below the part of it that is kept. */
  function drawing(a) {
    const first = Math.min(0, a.lo), last = Math.max(a.full, a.full - a.hi), rows = a.i + 2;
    const width = LABEL + (last - first) * CELL + 2, height = rows * (CELL + 6) + 2;
    const svg = element("svg", { class: "grid axis", role: "img", width, height, viewBox: `0 0 ${width} ${height}`,
      "aria-label": `${a.i} stamps of ${a.k} taps, ${a.full} rows together; the window leaves ${a.output}, from row ${a.lo}` });
    const row = (y, label, cells) => {
      svg.append(element("text", { class: "label", x: LABEL - 8, y: y * (CELL + 6) + 18 }, label));
      for (const [place, text, style, share] of cells) {
        const x = LABEL + (place - first) * CELL;
        svg.append(element("rect", { class: style, x, y: y * (CELL + 6) + 1, width: CELL, height: CELL, ...(share === undefined ? {} : { "fill-opacity": share }) }));
        if (text) svg.append(element("text", { x: x + CELL / 2, y: y * (CELL + 6) + 18 }, text));
      }
    };
    for (let n = 0; n < a.i; n++)
      row(n, `x[${n}] * w`, Array.from({ length: a.k }, (_, t) => [n * a.s + t * a.d, String(t), "cell tap-of"]));
    const most = Math.max(...a.meet);
    row(a.i, "stamp", a.meet.map((count, place) => [place, String(count), "overlap", (0.12 + 0.5 * count / most).toFixed(2)]));
    row(a.i + 1, "output", Array.from({ length: Math.max(a.output, 0) }, (_, o) =>
      [a.lo + o, String(o), a.lo + o >= 0 && a.lo + o < a.full ? "cell same" : "cell outside"]));
    return svg;
  }

  function told(a) {
    const even = new Set(a.inside).size === 1, cut = (rows) => rows >= 0 ? `${rows} cut` : `${-rows} zeros added`;
    const lines = [
      `full = (i - 1)*s + d*(k - 1) + 1 = (${a.i} - 1)*${a.s} + ${a.d}*(${a.k} - 1) + 1 = ${a.full}`,
      `window = (p, p - op) = (${a.lo}, ${a.hi}): ${cut(a.lo)} at the beginning, ${cut(a.hi)} at the end`,
      `output = full - lo - hi = ${a.full} - ${a.lo} - ${a.hi < 0 ? `(${a.hi})` : a.hi} = ${a.output}`,
      even ? `overlap: every inner row is the sum of ${a.inside[0]} taps`
        : `overlap: inner rows are sums of ${Math.min(...a.inside)} to ${Math.max(...a.inside)} taps, which can show as a checkerboard`,
    ];
    return a.output > 0 ? lines : [...lines.slice(0, 2), `output = ${a.output}: the window cuts everything away`];
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("operator");
    if (!form) return;
    const names = ["i", "k", "s", "p", "op", "d"];
    const value = (name) => {
      const input = form.elements[name];
      return Math.min(Math.max(Math.round(Number(input.value)) || 0, Number(input.min)), Number(input.max));
    };
    function draw() {
      const a = site.axis(Object.fromEntries(names.map((name) => [name, value(name)])));
      document.getElementById("told").textContent = told(a).join("\n");
      document.getElementById("drawing").replaceChildren(a.full <= SHOWN ? drawing(a) : "The stamp is too wide to be drawn.");
      document.getElementById("calls").replaceChildren(...(a.output > 0 ? site.calls(a) : []).flatMap(([framework, call, reason]) => {
        const term = document.createElement("dt"), words = document.createElement("dd");
        term.textContent = framework;
        words.append(call ? Object.assign(document.createElement("code"), { textContent: call }) : reason);
        return [term, words];
      }));
    }
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const button of document.querySelectorAll("[data-set]"))
      button.addEventListener("click", () => {
        button.dataset.set.split(" ").forEach((number, at) => { form.elements[names[at]].value = number; });
        draw();
      });
    draw();
  });
})(window.conformance);
