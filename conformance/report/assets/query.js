"use strict";
/* The query language: words that must all hold of a record. It knows columns and problems, and nothing of the page. */
window.conformance = window.conformance || {};
(function (site) {
  const AXES = ["input", "kernel", "stride", "dilation", "output_padding", "pad_begin", "pad_end"];
  const SCALARS = ["rank", "batch", "groups", "in_channels", "out_channels", "bias"];
  const LETTERS = {
    i: "input", k: "kernel", s: "stride", d: "dilation", op: "output_padding", g: "groups", ic: "in_channels",
    oc: "out_channels", n: "batch", p: "pad_begin",
  };
  const NAMES = ["case", "framework", "variant", "lane", "suite", "dtype", "verdict", "kind", "claimed", "known",
    "composed", "idiom", "fault"];
  const MOST_AXES = 3;

  /* The numbers of `count` problems, a typed array each; those of an axis have MOST_AXES places a problem. */
  class Problems {
    constructor(count) {
      this.count = count;
      for (const name of AXES) this[name] = new Float64Array(count * MOST_AXES);
      for (const name of SCALARS) this[name] = new Float64Array(count);
    }

    read(at, text) {
      for (const name of ["batch", "groups", "in_channels", "out_channels"]) this[name][at] = 1;
      const words = text.split(" ");
      const rank = Math.min(words[0].split("x").length, MOST_AXES);
      this.rank[at] = rank;
      for (const name of ["kernel", "stride", "dilation"]) this.fill(name, at, rank, ["1"]);
      for (const word of words) {
        const match = /^([a-z]+)(.*)$/.exec(word);
        if (!match) continue;
        const name = LETTERS[match[1]], values = match[2].split("x");
        if (match[1] === "bias") this.bias[at] = 1;
        else if (match[1] === "p") {
          this.fill("pad_begin", at, rank, values.map((each) => each.split(":")[0]));
          this.fill("pad_end", at, rank, values.map((each) => each.split(":").pop()));
        } else if (name && SCALARS.includes(name)) this[name][at] = Number(match[2]);
        else if (name) this.fill(name, at, rank, values);
      }
    }

    fill(name, at, rank, values) {
      for (let axis = 0; axis < rank; axis++) {
        this[name][at * MOST_AXES + axis] = Number(values[axis < values.length ? axis : values.length - 1]);
      }
    }
  }

  const DERIVED = {
    effective_kernel: (p, at) => p.dilation[at] * (p.kernel[at] - 1) + 1,
    full: (p, at) => (p.input[at] - 1) * p.stride[at] + DERIVED.effective_kernel(p, at),
    lo: (p, at) => p.pad_begin[at],
    hi: (p, at) => p.pad_end[at] - p.output_padding[at],
    output: (p, at) => DERIVED.full(p, at) - DERIVED.lo(p, at) - DERIVED.hi(p, at),
  };

  /* A field as a function of problems, problem and place of the axis, and as a column of all its values; `ofAxis` where
     it has one value an axis. */
  function field(name) {
    const full = LETTERS[name] || name;
    if (DERIVED[full]) {
      return {
        ofAxis: true, value: (p, at, place) => DERIVED[full](p, place),
        column: (p) => Float64Array.from({ length: p.count * MOST_AXES }, (_, place) => DERIVED[full](p, place)),
      };
    }
    if (AXES.includes(full)) return { ofAxis: true, value: (p, at, place) => p[full][place], column: (p) => p[full] };
    if (SCALARS.includes(full)) return { ofAxis: false, value: (p, at) => p[full][at], column: (p) => p[full] };
    const fields = [...AXES, ...Object.keys(DERIVED), ...SCALARS];
    throw new Error(`there is no field ${name}${nearest(name, fields)}: the fields are ${fields.join(", ")}`);
  }

  /* How many letters have to be added, left out or changed to make one word of another. */
  function distance(a, b) {
    let row = Array.from({ length: b.length + 1 }, (_, at) => at);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
      }
      row = next;
    }
    return row[b.length];
  }

  /* ", the nearest is NAME", where one is near enough to be meant; else nothing. */
  function nearest(word, names) {
    const [name, letters] = names.map((each) => [each, distance(word, each)]).sort((a, b) => a[1] - b[1])[0] || ["", 99];
    return letters <= Math.max(2, word.length / 3) ? `, the nearest is ${name}` : "";
  }

  const APPLY = {
    "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "//": (a, b) => Math.floor(a / b),
    "%": (a, b) => ((a % b) + b) % b,
    "=": (a, b) => a === b, "!=": (a, b) => a !== b, "<": (a, b) => a < b, "<=": (a, b) => a <= b,
    ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  };

  /* A column with a value an axis, if that is asked for, or a problem; of a number, which has no column, too. */
  function spread({ ofAxis, number, column }, byAxis, p) {
    if (number === undefined && ofAxis === byAxis) return column(p);
    const out = new Float64Array(byAxis ? p.count * MOST_AXES : p.count);
    if (number !== undefined) return out.fill(number);
    const values = column(p);
    for (let at = 0; at < p.count; at++) out.fill(values[at], at * MOST_AXES, (at + 1) * MOST_AXES);
    return out;
  }

  function joined(operator, left, right) {
    const apply = APPLY[operator], ofAxis = left.ofAxis || right.ofAxis;
    return {
      ofAxis,
      column: (p) => {
        const a = spread(left, ofAxis, p), b = spread(right, ofAxis, p), out = new Float64Array(a.length);
        for (let at = 0; at < out.length; at++) out[at] = apply(a[at], b[at]);
        return out;
      },
    };
  }

  function sum(tokens) {
    let left = product(tokens);
    while (tokens[0] === "+" || tokens[0] === "-") left = joined(tokens.shift(), left, product(tokens));
    return left;
  }

  function product(tokens) {
    let left = atom(tokens);
    while (["*", "//", "%"].includes(tokens[0])) left = joined(tokens.shift(), left, atom(tokens));
    return left;
  }

  function atom(tokens) {
    const token = tokens.shift();
    if (token === undefined) throw new Error("an expression ends too early: write a field or a number");
    if (token === "-") {
      return joined("-", { ofAxis: false, number: 0 }, atom(tokens));
    }
    if (/^\d+$/.test(token)) return { ofAxis: false, number: Number(token) };
    return field(token);
  }

  function expression(text) {
    const tokens = text.match(/[a-z_]+|\d+|\/\/|[-+*%]/g) || [];
    if (tokens.join("") !== text) throw new Error(`${text} is no expression: use fields, numbers and + - * // %`);
    const meaning = sum(tokens);
    if (tokens.length) throw new Error(`${text}: ${tokens[0]} is not expected there`);
    return meaning;
  }

  const COMPARISON = /^([^<>=!&]+)(>=|<=|!=|==|=|>|<)([^<>=!&]+)$/;

  /* Comparisons joined by &, all of one axis, as a function of problems: 1 where they hold for a problem, else 0. */
  function comparison(text) {
    const parts = text.split("&").map((part) => {
      const match = COMPARISON.exec(part);
      if (!match) throw new Error(`${part} is no comparison: write for example stride>kernel`);
      return joined(match[2] === "==" ? "=" : match[2], expression(match[1]), expression(match[3]));
    });
    const ofAxis = parts.some((part) => part.ofAxis);
    return (p) => {
      const all = parts.map((part) => spread(part, ofAxis, p)).reduce((a, b) => a.map((value, at) => value * b[at]));
      const places = ofAxis ? MOST_AXES : 1;
      const found = new Uint8Array(p.count);
      for (let at = 0; at < p.count; at++) {
        const end = at * places + (ofAxis ? p.rank[at] : 1);
        for (let place = at * places; place < end; place++) {
          if (all[place]) found[at] = 1;
        }
      }
      return found;
    };
  }

  /* Words of a query as they are written; quotes hold blanks together. */
  function words(text) { return text.match(/(?:[^\s"]+|"[^"]*"?)+/g) || []; }

  const bare = (word) => word.replace(/"/g, "");

  function matcher(pattern) {
    if (pattern === "none") return (name) => name === "";
    const lowered = pattern.toLowerCase();
    if (!pattern.includes("*")) return (name) => name.toLowerCase() === lowered || name === `${pattern}.html`;
    const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    const whole = new RegExp(`^${parts.join(".*")}$`, "i");
    return (name) => whole.test(name);
  }

  /* What must occur in a text, in this order; what varies in a message is left out. */
  const textual = (word) => word.toLowerCase().split(/[*\u2026]/).filter(Boolean);

  /* A query as terms: {column, matches}, {holds} or {text}, each with `not`. Raises an Error that says what is wrong. */
  function parse(text) {
    return words(text).map((raw) => {
      const not = /^[-!]./.test(raw) && !/^-\d/.test(raw);
      const quoted = raw.slice(not ? 1 : 0).startsWith('"');
      const word = bare(not ? raw.slice(1) : raw);
      if (quoted) return { not, text: textual(word) };
      const named = /^([a-z_]+):(.+)$/.exec(word);
      if (named && NAMES.includes(named[1])) {
        const matchers = named[2].split(",").map((value) => [value, matcher(value)]);
        return { not, column: named[1], matchers, matches: (name) => matchers.some(([, matches]) => matches(name)) };
      }
      if (named && /^[a-z_]+$/.test(named[1]) && !/[\s/.]/.test(word)) {
        throw new Error(`there is no field ${named[1]}${nearest(named[1], NAMES)}: the fields are ${NAMES.join(", ")}; `
          + "quote it to find it as text");
      }
      if (/[<>=]/.test(word) && !/[\s'(]/.test(word)) return { not, holds: comparison(word) };
      return { not, text: textual(word) };
    });
  }

  Object.assign(site, { Problems, parse, words, comparison, field, nearest, MOST_AXES, NAMES });
})(window.conformance);
