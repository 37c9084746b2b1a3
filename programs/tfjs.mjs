// TensorFlow.js, its backends in plain JavaScript and in WebAssembly: conv2dTranspose and conv3dTranspose. A 1-D problem gets a second axis.
import { createRequire } from "node:module";
import { encode, serve } from "../templates/javascript/lane.mjs";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs");
globalThis.fetch = undefined; // wasm builds of 3.x take it for a browser's, and give it a path
if (process.env.TFJS_BACKEND === "wasm") require("@tensorflow/tfjs-backend-wasm");
await tf.setBackend(process.env.TFJS_BACKEND);

// The padding that tfjs takes for a window: all it has are "valid", "same" and one number for 2-D. Otherwise the whole
// stamp is computed, and the window is left to the harness.
function padding(a, rank) {
  const zero = a.window.every(([lo, hi], axis) => lo === 0 && hi <= 0 && hi > -a.stride[axis]);
  if (zero) return { pad: "valid", output: a.output };
  const same = a.window.every(([lo, hi], axis) =>
    lo === Math.floor(Math.max(lo + hi, 0) / 2) && Math.ceil(a.output[axis] / a.stride[axis]) === a.input[axis]);
  return same ? { pad: "same", output: a.output } : { pad: "valid", output: a.full, window: a.window };
}

const shape = (sizes) => `[${sizes.join(", ")}]`;

async function answer(a, x, weight, bias) {
  const rank = a.input.length, flat = rank === 1;
  if (x.dtype !== "<f4") return { verdict: "unsupported", message: "tfjs has no float64" };
  if (a.groups > 1) return { verdict: "unsupported", message: "no argument for groups" };
  if (a.dilation.some((d) => d > 1)) return { verdict: "unsupported", message: "no argument for dilation" };
  if (rank > 3) return { verdict: "unsupported", message: `${rank} spatial axes: there are conv2dTranspose and 3d` };
  const { pad, output, window } = padding(a, rank);
  const elements = output.reduce((product, extent) => product * extent, a.batch * a.out_channels);
  if (elements > 2 ** 28) return { verdict: "unsupported", message: `the whole stamp has ${elements} elements` };
  const unit = (sizes) => (flat ? [1, ...sizes] : sizes);
  const name = rank === 3 ? "conv3dTranspose" : "conv2dTranspose";
  const xShape = [a.batch, ...unit(a.input), a.in_channels], wShape = [...unit(a.kernel), a.out_channels, a.in_channels];
  const yShape = [a.batch, ...unit(output), a.out_channels], strides = unit(a.stride);
  const reply = {
    text: `tf.${name}(${shape(xShape)}, ${shape(wShape)}, ${shape(yShape)}, ${shape(strides)}, '${pad}')`,
    prepared: flat ? ["unit-axis"] : [], bias: a.bias, ...(window && { window }),
  };
  return tf.engine().tidy(() => {
    try {
      const operands = [tf.tensor(x.data, xShape), tf.tensor(weight.data, wShape)], began = performance.now();
      const y = tf[name](...operands, yShape, strides, pad), data = y.dataSync();
      return { ...reply, seconds: (performance.now() - began) / 1000, arrays: [encode(data, y.shape)] };
    } catch (error) {
      return { ...reply, bias: false, window: null, verdict: "rejects", message: String(error.message ?? error).slice(0, 300) };
    }
  });
}

await serve({ environment: { tfjs: tf.version.tfjs, node: process.version }, data: "n k c", weight: "k o i" }, answer);
