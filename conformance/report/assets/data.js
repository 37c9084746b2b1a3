"use strict";
/* The data: shards are scripts that call a function here, since a page that is opened as a file may fetch nothing. */
window.conformance = window.conformance || {};
(function (site) {
  const store = { ids: [], texts: [], found: [], problems: null, shards: [], manifest: null, sections: [], whole: "" };
  const waiting = new Map();

  function load(name) {
    if (!waiting.has(name)) {
      waiting.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${name}`;
        script.onload = () => { script.remove(); resolve(); };
        script.onerror = () => reject(new Error(`data/${name} cannot be read: build the report again`));
        document.head.append(script);
      }));
    }
    return waiting.get(name);
  }

  function manifest(content) {
    store.manifest = content;
    store.problems = new site.Problems(content.count);
    store.ids = new Array(content.count);
    store.texts = new Array(content.count);
    store.found = new Array(content.count);
  }

  function cases(block) {
    block.ids.forEach((id, at) => {
      store.ids[block.start + at] = id;
      store.texts[block.start + at] = block.problems[at];
      store.found[block.start + at] = `${id}\n${block.problems[at]}`.toLowerCase();
      store.problems.read(block.start + at, block.problems[at]);
    });
  }

  function records(shard) { store.shards.push(shard); }

  function documents(sections) { store.sections = sections; }

  /* The sections of the documents that have every word of a query, those with one in the heading first; none for a
     query about records. */
  function sectionsOf(query) {
    const terms = site.parse(query);
    if (!terms.length || !terms.every((term) => term.text && !term.not)) return [];
    const parts = terms.flatMap((term) => term.text);
    return store.sections.map(([address, title, heading, text]) => {
      const above = `${title} ${heading}`.toLowerCase(), whole = `${above} ${text.toLowerCase()}`;
      if (!parts.every((part) => whole.includes(part))) return null;
      const before = text.slice(0, Math.max(0, text.toLowerCase().indexOf(parts[0]) - 60));
      const at = before.lastIndexOf(" ") + 1;
      const shown = `${at ? "\u2026" : ""}${text.slice(at, at + 200)}${at + 200 < text.length ? "\u2026" : ""}`;
      return { address, title, heading, shown, rank: parts.filter((part) => above.includes(part)).length };
    }).filter(Boolean).sort((a, b) => b.rank - a.rank);
  }

  /* Everything that a query can see: the shards that `wanted` says, and all cases. */
  async function ready(wanted, progress) {
    const chosen = store.manifest.records.filter(wanted || (() => true));
    const names = [...store.manifest.cases, ...chosen.map((each) => each.file)];
    let done = 0;
    await Promise.all(names.map((name) => load(name).then(() => progress && progress(++done / names.length))));
    store.shards.sort((a, b) => a.number - b.number);
  }

  function nameOf(shard, column, row) {
    const names = store.manifest.names;
    if (column === "lane") return `${names.framework[shard.framework]}-${names.variant[shard.variant]}`;
    const values = shard[column];
    return names[column][typeof values === "number" ? values : values[row]];
  }

  /* Whether a text has some parts, one after the other. */
  function holds(text, parts) {
    let from = 0;
    return parts.every((part) => { const at = text.indexOf(part, from); from = at + part.length; return at >= 0; });
  }

  /* Which cases have these parts in their id and problem: 1, else 0. One search goes through all of them at once. */
  function casesWith(parts) {
    const { found } = store, ids = new Uint8Array(found.length);
    if (parts.length !== 1) return ids.map((_, at) => (holds(found[at], parts) ? 1 : 0));
    store.whole = store.whole || found.join("\0");
    let number = 0, end = found[0] ? found[0].length : 0;
    for (let at = store.whole.indexOf(parts[0]); at >= 0; at = store.whole.indexOf(parts[0], end)) {
      while (end < at) end += 1 + found[++number].length;
      ids[number] = 1;
    }
    return ids;
  }

  /* Which cases a query's terms about problems leave, as a mask; and which messages hold a text. */
  function masks(terms) {
    const count = store.ids.length, keep = new Uint8Array(count).fill(1);
    for (const term of terms.filter((each) => each.holds)) {
      const holding = term.holds(store.problems);
      for (let at = 0; at < count; at++) if ((holding[at] === 1) === term.not) keep[at] = 0;
    }
    for (const term of terms.filter((each) => each.column === "case")) {
      for (let at = 0; at < count; at++) if (keep[at]) keep[at] = term.matches(store.ids[at]) !== term.not ? 1 : 0;
    }
    const texts = terms.filter((each) => each.text).map((term) => {
      const said = (store.manifest.names.message || [""]).map((name) => holds(name.toLowerCase(), term.text));
      return { not: term.not, said, ids: casesWith(term.text) };
    });
    return { keep, texts };
  }

  /* An Error that names the nearest value, where no record has the one that a term asks for. */
  function require(term) {
    const names = store.manifest.names, column = term.column;
    const all = column === "lane" ? store.shards.map((shard) => nameOf(shard, "lane", 0)) : names[column];
    const values = [...new Set(all)].filter(Boolean);
    for (const [value, matches] of term.matchers) {
      if (value === "none" || values.some(matches)) continue;
      const known = column === "verdict" ? Object.keys(store.manifest.verdicts) : values;
      if (known.includes(value)) continue;
      throw new Error(`no record has ${column}:${value}${site.nearest(value, known)}`
        + (known.length <= 12 ? `: there are ${known.join(", ")}` : ""));
    }
  }

  /* Calls `found(shard, row)` for every record for which a query holds. */
  function select(query, found, wanted) {
    const terms = site.parse(query), { keep, texts } = masks(terms);
    const named = terms.filter((each) => each.column && each.column !== "case");
    named.filter((term) => !term.not).forEach(require);
    for (const shard of store.shards) {
      if (wanted && !wanted(shard)) continue;
      const tests = [];
      let none = false;
      for (const term of named) {
        const column = shard[term.column];
        if (term.column === "lane" || typeof column === "number") {
          none = none || term.matches(nameOf(shard, term.column, 0)) === term.not;
        } else {
          const passes = store.manifest.names[term.column].map((name) => term.matches(name) !== term.not);
          tests.push({ column, passes });
        }
      }
      if (none) continue;
      const message = shard.message, constant = typeof message === "number";
      next: for (let row = 0; row < shard.count; row++) {
        const at = shard.case[row];
        if (!keep[at]) continue;
        for (const test of tests) if (!test.passes[test.column[row]]) continue next;
        for (const text of texts) {
          if ((text.ids[at] === 1 || text.said[constant ? message : message[row]]) === text.not) continue next;
        }
        found(shard, row);
      }
    }
  }

  function bucketOf(id) {
    const firsts = store.manifest.buckets;
    let low = 0, high = firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (firsts[middle] <= id) low = middle; else high = middle - 1;
    }
    return low;
  }

  const buckets = new Map();
  function bucket(content) { buckets.set(content.number, content.records); }

  async function everythingOf(id) {
    const at = bucketOf(id);
    await load(`case-${at}.js`);
    const found = buckets.get(at).filter((record) => record.case === id);
    if (at > 0 && store.manifest.buckets[at] === id) {
      await load(`case-${at - 1}.js`);
      found.unshift(...buckets.get(at - 1).filter((record) => record.case === id));
    }
    return found;
  }

  /* An element with attributes and children; text is text, whatever it holds. */
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  function tag(verdict) {
    const [symbol] = store.manifest.verdicts[verdict];
    return element("span", { class: `tag ${verdict}` }, element("b", { "aria-hidden": "true" }, symbol), ` ${verdict}`);
  }

  function hash() {
    try { return decodeURIComponent(location.hash.slice(1)); } catch { return location.hash.slice(1); }
  }

  const number = (value) => value.toLocaleString("en");

  Object.assign(site, {
    store, load, manifest, cases, records, documents, sectionsOf, bucket, ready, select, nameOf, everythingOf, element, tag, hash, number,
  });
})(window.conformance);
