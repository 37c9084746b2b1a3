// ONNX Runtime for Node, and for the web in Node: a model of one ConvTranspose for each problem, written out here as ONNX's protocol buffers.
import { createRequire } from "node:module";
import { encode, serve } from "../templates/javascript/lane.mjs";

const require = createRequire(import.meta.url);
const name = process.env.ONNXRUNTIME_PACKAGE;
const ort = require(name);
ort.env.wasm.numThreads = 1;
const ONNX_TYPES = { "<f4": [1, "float32", Float32Array], "<f8": [11, "float64", Float64Array] };

const varint = (value) => (value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]);
const number = (field, value) => [...varint(field << 3), ...varint(value)];
const bytes = (field, content) => [...varint((field << 3) | 2), ...varint(content.length), ...content];
const text = (field, content) => bytes(field, [...Buffer.from(content)]);

const ints = (name, values) =>
  bytes(5, [...text(1, name), ...values.flatMap((value) => number(8, value)), ...number(20, 7)]);
const int = (name, value) => bytes(5, [...text(1, name), ...number(3, value), ...number(20, 2)]);
const tensor = (field, name, type, sizes) => {
  const shape = sizes.flatMap((size) => bytes(1, number(1, size)));
  return bytes(field, [...text(1, name), ...bytes(2, bytes(1, [...number(1, type), ...bytes(2, shape)]))]);
};

function model(a, type, operands, ySizes) {
  const names = Object.keys(operands), pads = [0, 1].flatMap((end) => a.pads.map((pair) => pair[end]));
  const node = [
    ...names.flatMap((name) => text(1, name)), ...text(2, "y"), ...text(4, "ConvTranspose"),
    ...ints("kernel_shape", a.kernel), ...ints("strides", a.stride), ...ints("pads", pads),
    ...ints("output_padding", a.output_padding), ...ints("dilations", a.dilation), ...int("group", a.groups),
  ];
  const inputs = names.flatMap((name) => tensor(11, name, type, operands[name].shape));
  const graph = [...bytes(1, node), ...text(2, "g"), ...inputs, ...tensor(12, "y", type, ySizes)];
  return Uint8Array.from([...number(1, 8), ...bytes(7, graph), ...bytes(8, number(2, 11))]);
}

// ONNX knows no negative pads: of such a problem the whole stamp is computed, and the harness cuts it and adds the bias.
async function answer(given, x, w, bias) {
  const composed = given.pads.flat().some((pad) => pad < 0), zeros = given.input.map(() => 0);
  const whole = { ...given, pads: zeros.map(() => [0, 0]), output_padding: zeros, output: given.full };
  const a = composed ? whole : given, b = composed ? undefined : bias;
  const [type, element] = ONNX_TYPES[x.dtype], operands = b ? { x, w, b } : { x, w };
  const options = { strides: a.stride, pads: a.pads, output_padding: a.output_padding, dilations: a.dilation, group: a.groups };
  const words = Object.entries(options).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(", ");
  const reply = { text: `ConvTranspose([${x.shape}], [${w.shape}], ${words})` };
  const rest = composed ? { window: given.window, bias: given.bias } : {};
  const began = performance.now(), seconds = () => (performance.now() - began) / 1000;
  try {
    const session = await ort.InferenceSession.create(model(a, type, operands, [a.batch, a.groups * a.out_channels, ...a.output]));
    const feeds = Object.entries(operands).map(([key, { data, shape }]) => [key, new ort.Tensor(element, data, shape)]);
    const { y } = await session.run(Object.fromEntries(feeds));
    await session.release();
    return { ...reply, ...rest, seconds: seconds(), arrays: [encode(y.data, y.dims)] };
  } catch (error) {
    return { ...reply, seconds: seconds(), verdict: "rejects", message: String(error.message ?? error).slice(0, 300) };
  }
}

const versions = { [name]: ort.env.versions[name.replace("onnxruntime-", "")], node: process.version };
await serve({ environment: versions }, answer);
