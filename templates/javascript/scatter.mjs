// A transposed convolution in plain JavaScript that answers for a lane: every input element puts the kernel down.
// Arrays have PyTorch's order of axes. `lane.mjs` is the protocol; docs/protocol.md of conformance explains it.
import { encode, serve } from "./lane.mjs";

const size = (extents) => extents.reduce((product, extent) => product * extent, 1);

// Visits every index of an array in order, with its place in memory.
function forEachIndex(extents, visit) {
  const index = extents.map(() => 0);
  for (let place = 0; place < size(extents); place++) {
    visit(index, place);
    for (let axis = extents.length - 1; axis >= 0 && ++index[axis] === extents[axis]; axis--) index[axis] = 0;
  }
}

// The place in the output where an element and a tap meet, or -1 where the window cuts it off.
function meeting({ stride, dilation, window, output }, element, tap) {
  let place = 0;
  for (let axis = 0; axis < output.length; axis++) {
    const at = element[axis] * stride[axis] + tap[axis] * dilation[axis] - window[axis][0];
    if (at < 0 || at >= output[axis]) return -1;
    place = place * output[axis] + at;
  }
  return place;
}

function answer(a, x, weight, bias) {
  const channels = a.groups * a.in_channels, outputs = a.groups * a.out_channels, last = size(a.output);
  const y = new x.data.constructor(a.batch * outputs * last);
  if (bias) y.forEach((_, at) => { y[at] = bias.data[Math.floor(at / last) % outputs]; });
  forEachIndex(a.input, (element, xPlace) => forEachIndex(a.kernel, (tap, weightPlace) => {
    const place = meeting(a, element, tap);
    if (place < 0) return;
    forEachIndex([a.batch, channels, a.out_channels], ([image, channel, to]) => {
      const output = Math.floor(channel / a.in_channels) * a.out_channels + to;
      y[(image * outputs + output) * last + place] +=
        x.data[(image * channels + channel) * size(a.input) + xPlace] *
        weight.data[(channel * a.out_channels + to) * size(a.kernel) + weightPlace];
    });
  }));
  const shape = [a.batch, outputs, ...a.output];
  return { text: `scatter([${x.shape}], [${weight.shape}])`, arrays: [encode(y, shape)] };
}

await serve({ environment: { scatter: "1.0", node: process.version } }, answer);
