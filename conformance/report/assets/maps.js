"use strict";
/* Acceptance maps: tables that count records over pairs of parameters, every cell a link to the records behind it. */
document.addEventListener("DOMContentLoaded", async () => {
  const site = window.conformance, { store, element, nameOf, number, MOST_AXES } = site;
  const PAIRS = [
    ["stride", "kernel"], ["dilation", "output_padding"], ["pad_begin", "effective_kernel"], ["groups", "in_channels"],
  ];
  const WORDS = { output_padding: "output padding", pad_begin: "padding at the beginning",
    effective_kernel: "effective kernel", in_channels: "in channels of a group" };
  const SUITES = ["idioms", "ports", "claims", "negative"];
  const MOST = 12;
  const lane = document.getElementById("lane"), input = document.getElementById("query");
  const status = document.getElementById("status"), maps = document.getElementById("maps");
  const order = Object.keys(store.manifest.verdicts);
  const word = (name) => WORDS[name] || name;

  /* A lane and the rest of the query, from the address. */
  function state() {
    const words = site.words(site.hash()), chosen = words.find((each) => each.startsWith("lane:"));
    const rest = words.filter((each) => each !== chosen).join(" ");
    return { lane: chosen ? chosen.slice(5) : lane.value, rest };
  }

  function count(query, suites) {
    const cells = PAIRS.map(() => new Map());
    const fields = PAIRS.map((pair) => pair.map((name) => site.field(name)));
    const seen = new Set();
    let total = 0;
    site.select(query, (shard, row) => {
      total++;
      const at = shard.case[row], verdict = nameOf(shard, "verdict", row);
      fields.forEach(([a, b], pair) => {
        const axes = a.ofAxis ? store.problems.rank[at] : 1;
        seen.clear();
        for (let axis = 0; axis < axes; axis++) {
          const place = at * MOST_AXES + axis;
          const key = `${a.value(store.problems, at, place)},${b.value(store.problems, at, place)}`;
          if (seen.has(key)) continue;
          seen.add(key);
          let cell = cells[pair].get(key);
          if (!cell) cells[pair].set(key, cell = new Map());
          cell.set(verdict, (cell.get(verdict) || 0) + 1);
        }
      });
    }, (shard) => suites(store.manifest.names.suite[shard.suite]));
    return { cells, total };
  }

  function cellOf(cell, query) {
    if (!cell) return element("td", { class: "empty" }, "\u00b7");
    const entries = [...cell].sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0]));
    const said = entries.map(([verdict, many]) => `${number(many)} ${verdict}`).join(", ");
    const lines = entries.map(([verdict, many]) => element("span", { class: `key ${verdict}` },
      `${store.manifest.verdicts[verdict][0]}\u00a0${number(many)}`, element("span", { class: "unseen" }, ` ${verdict} `)));
    return element("td", {}, element("a", { href: `search.html#${encodeURIComponent(query)}`, title: said }, ...lines));
  }

  function map([rows, columns], cells, query) {
    const of = (index) => [...new Set([...cells.keys()].map((key) => Number(key.split(",")[index])))].sort((a, b) => a - b);
    const down = of(0), across = of(1), left = { down: down.slice(MOST).length, across: across.slice(MOST).length };
    const title = `${word(rows)} \u00d7 ${word(columns)}`;
    const id = `map-${rows}`;
    const head = element("tr", {}, element("th", { scope: "col" }, `${word(rows)} \u2193 ${word(columns)} \u2192`),
      ...across.slice(0, MOST).map((value) => element("th", { scope: "col", class: "number" }, String(value))));
    const body = down.slice(0, MOST).map((value) => element("tr", {}, element("th", { scope: "row", class: "number" }, String(value)),
      ...across.slice(0, MOST).map((other) => cellOf(cells.get(`${value},${other}`), `${query} ${rows}=${value}&${columns}=${other}`))));
    body.flatMap((row) => [...row.querySelectorAll("a")]).forEach((link, at) => { link.tabIndex = at ? -1 : 0; });
    const parts = [[left.down, "row"], [left.across, "column"]].filter(([count]) => count)
      .map(([count, noun]) => `${count} ${noun}${count === 1 ? "" : "s"}`);
    const rest = parts.length ? ` Larger values are left out: ${parts.join(" and ")}.` : "";
    return element("section", { "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, title),
      element("div", { class: "scroll few", role: "region", "aria-labelledby": id, tabindex: "0" },
        element("table", { class: "map", role: "grid" }, element("caption", { id }, element("span", {}, `${title}: records of each verdict.${rest}`)),
          element("thead", {}, head), element("tbody", {}, ...body))));
  }

  /* Tab leads to a map and on to the next one; within a map, arrow keys lead to the next cell that has records. */
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  maps.addEventListener("keydown", (event) => {
    const [down, right] = STEPS[event.key] || [0, 0], cell = event.target.closest("td");
    if (!(down || right) || !cell || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const rows = cell.closest("tbody").rows;
    let row = cell.parentElement.sectionRowIndex, column = cell.cellIndex, next = null;
    do next = rows[row += down]?.cells[column += right]; while (next && !next.querySelector("a"));
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.querySelector("a").tabIndex = 0;
    next.querySelector("a").focus();
  });

  async function run() {
    const now = state();
    lane.value = now.lane;
    if (document.activeElement !== input) input.value = now.rest;
    const named = /(^|\s)suite:/.test(now.rest);
    const suites = (name) => named || !SUITES.includes(name);
    const query = `lane:${now.lane} ${now.rest}`.trim();
    try {
      await site.ready((each) => each.lane === now.lane && suites(each.suite));
      const { cells, total } = count(query, suites);
      const searched = named ? query : `${query} -suite:${SUITES.join(",")}`;
      maps.replaceChildren(...(total ? PAIRS.map((pair, at) => map(pair, cells[at], searched)) : []));
      status.textContent = `${number(total)} records of ${now.lane}.`;
    } catch (error) {
      status.textContent = error.message;
    }
  }

  let timer = 0;
  function go() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      history.replaceState(null, "", `#${encodeURIComponent(`lane:${lane.value} ${input.value}`.trim())}`);
      run();
    }, 100);
  }
  input.addEventListener("input", go);
  lane.addEventListener("change", go);
  input.form.addEventListener("submit", (event) => { event.preventDefault(); go(); });
  window.addEventListener("hashchange", run);
  run();
});
