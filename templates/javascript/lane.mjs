// The protocol of docs/protocol.md for programs in JavaScript: `answer` gets a job and gives a reply without its name.
import readline from "node:readline";

const TYPES = { "<f4": Float32Array, "<f8": Float64Array };
console.log = console.info = console.warn = console.error; // standard output is the protocol's alone

export const encode = (array, shape) => ({
  dtype: array instanceof Float64Array ? "<f8" : "<f4", shape,
  base64: Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64"),
});

const decode = ({ dtype, shape, base64 }) => {
  const bytes = new Uint8Array(Buffer.from(base64, "base64"));
  return { dtype, shape, data: new TYPES[dtype](bytes.buffer) };
};

export async function serve(started, answer) {
  const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    if (message.do === "stop") return say({ bye: true });
    if (message.do === "start") say({ encoding: "base64", ...started });
    for (const job of message.jobs ?? []) {
      const [x, weight, bias] = job.arrays.map(decode);
      say({ job: job.job, ...(await answer(job.attributes, x, weight, bias)) });
    }
    say({ ready: true });
  }
}
