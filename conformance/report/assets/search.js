"use strict";
/* The search page: the query is in the address, the answer below it. */
document.addEventListener("DOMContentLoaded", () => {
  const site = window.conformance, { store, element, nameOf, number } = site;
  const PAGE = 100, SECTIONS = 6;
  const input = document.getElementById("query"), status = document.getElementById("status");
  const results = document.getElementById("results"), facets = document.getElementById("facets");
  const more = document.getElementById("more"), told = document.getElementById("documents");
  let parts = [], total = 0, shown = 0, body = null, loading = false, loaded = false;

  const link = (query) => `#${encodeURIComponent(query)}`;

  /* What a query finds: of each shard the rows, and how many they are together. */
  function find(query) {
    const found = [];
    let count = 0, last = null;
    site.select(query, (shard, at) => {
      if (!last || last.shard !== shard) found.push(last = { shard, rows: [] });
      last.rows.push(at);
      count++;
    });
    parts = found;
    total = count;
  }

  function row(shard, at) {
    const id = store.ids[shard.case[at]], fault = nameOf(shard, "fault", at), known = nameOf(shard, "known", at);
    return element("tr", {},
      element("th", { scope: "row" }, element("a", { href: `case.html${link(id)}` }, id)),
      element("td", { class: "problem" }, element("code", {}, store.texts[shard.case[at]])),
      element("td", {}, nameOf(shard, "lane", at)), element("td", {}, nameOf(shard, "dtype", at)),
      element("td", {}, site.tag(nameOf(shard, "verdict", at))),
      element("td", { class: "text" },
        fault ? element("a", { href: fault }, known || "new") : "", fault ? " " : "", nameOf(shard, "message", at)));
  }

  function show() {
    let before = 0;
    const end = Math.min(shown + PAGE, total);
    for (const { shard, rows } of parts) {
      for (const at of rows.slice(Math.max(0, shown - before), Math.max(0, end - before))) body.append(row(shard, at));
      before += rows.length;
    }
    shown = end;
    more.hidden = shown >= total;
    more.textContent = `Show ${number(Math.min(PAGE, total - shown))} more of ${number(total - shown)}`;
  }

  function table() {
    body = element("tbody");
    const heads = ["Case", "Problem", "Lane", "Dtype", "Verdict", "Fault, and message"];
    results.replaceChildren(element("table", {},
      element("caption", { id: "results-caption" }, element("span", {}, "Records that the query finds, by lane, suite and case")),
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))), body));
    results.hidden = !total;
    shown = 0;
    show();
  }

  /* The sections of the documents above the records. */
  function sections(query) {
    const found = site.sectionsOf(query);
    const items = found.slice(0, SECTIONS).map(({ address, title, heading, shown }) => element("li", {},
      element("a", { href: address }, title === heading ? title : `${title}: ${heading}`), element("br"), shown));
    const count = found.length > SECTIONS ? `the first ${SECTIONS} of ${number(found.length)} sections` : "";
    told.replaceChildren(...(items.length
      ? [element("h2", {}, "In the documents"), element("ul", {}, ...items), element("p", { class: "note" }, count)] : []));
  }

  function facet(title, column, query) {
    const counts = new Map();
    const add = (name, count) => counts.set(name, (counts.get(name) || 0) + count);
    for (const { shard, rows } of parts) {
      const values = shard[column];
      if (column === "lane" || typeof values === "number") {  // one of the whole shard
        add(nameOf(shard, column, 0), rows.length);
        continue;
      }
      const names = store.manifest.names[column], each = new Uint32Array(names.length);
      for (const at of rows) each[values[at]]++;
      each.forEach((count, at) => { if (count) add(names[at], count); });
    }
    if (counts.size < 2) return null;
    const links = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) =>
      element("li", {}, element("a", { href: link(`${query} ${column}:${name || "none"}`.trim()) }, name || "none"), ` ${number(count)}`));
    return element("p", {}, element("b", {}, `${title}: `), element("ul", { class: "facet" }, ...links));
  }

  /* Load all that a query can see, once somebody has one, or is about to. */
  async function load() {
    if (loading) return;
    loading = true;
    try {
      await site.load("documents.js");
      await site.ready(null, (part) => { status.textContent = `Loading, ${Math.round(part * 100)} %`; });
    } catch (error) {
      status.textContent = error.message;
      return;
    }
    loaded = true;
    site.loaded = performance.now();
    run();
  }

  function follow() {
    input.value = site.hash();
    run();
  }

  function run() {
    const query = input.value.trim();
    if (!loaded) {
      if (query) load();
      return;
    }
    const started = performance.now();
    try {
      find(query);
    } catch (error) {
      parts = [];
      total = 0;
      facets.replaceChildren();
      told.replaceChildren();
      table();
      status.textContent = error.message;
      return;
    }
    sections(query);
    site.filtered = performance.now() - started;
    facets.replaceChildren(...[["Verdicts", "verdict"], ["Lanes", "lane"], ["Suites", "suite"]]
      .map(([title, column]) => facet(title, column, query)).filter(Boolean).map((p) => {
        const [label, list] = p.childNodes;
        return element("div", { class: "facets" }, label, list);
      }));
    table();
    status.textContent = `${number(total)} of ${number(store.manifest.total)} records.`;
    site.answered = performance.now() - started;
  }

  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { history.replaceState(null, "", link(input.value.trim())); run(); }, 100);
  });
  input.form.addEventListener("submit", (event) => { event.preventDefault(); location.hash = link(input.value.trim()); });
  window.addEventListener("hashchange", follow);
  more.addEventListener("click", show);

  input.addEventListener("focus", load);

  status.textContent = `${number(store.manifest.total)} records.`;
  follow();
});
