/* A transposed convolution in plain C that answers for a lane: docs/protocol.md says what is read and written here.
   Arrays have PyTorch's order of axes. There are at most 3 spatial axes; fewer are led by axes of extent 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { AXES = 3 };
typedef long Axes[AXES];

/* The integers in a field's value, such as "stride":[2,1] or "batch":3, into `values`; how many there are. */
static int read_field(const char *line, const char *name, long *values) {
    char key[32];
    int count = 0, depth = 0, length = snprintf(key, sizeof key, "\"%s\":", name);
    char *at = strstr(line, key) + length;
    do {
        if (*at == '-' || (*at >= '0' && *at <= '9')) values[count++] = strtol(at, &at, 10);
        else depth += (*at == '[') - (*at == ']'), at++;
    } while (depth > 0);
    return count;
}

static long read_number(const char *line, const char *name) {
    long value;
    return read_field(line, name, &value), value;
}

static int read_axes(const char *line, const char *name, Axes values) {
    Axes given;
    int rank = read_field(line, name, given);
    for (int axis = 0; axis < AXES; axis++) values[axis] = axis < AXES - rank ? 1 : given[axis - AXES + rank];
    return rank;
}

static double *read_array(long size, int width) {
    double *array = malloc(size * sizeof *array + 1);
    for (long at = 0; at < size; at++) {
        float narrow;
        if (!fread(width == 4 ? (void *)&narrow : (void *)&array[at], width, 1, stdin)) exit(1);
        if (width == 4) array[at] = narrow;
    }
    return array;
}

static void answer(const char *line) {
    Axes i, k, s, d, out;
    long pairs[2 * AXES], lo[AXES] = {0}, n = read_number(line, "batch"), g = read_number(line, "groups");
    long ic = read_number(line, "in_channels"), oc = read_number(line, "out_channels"), xs = 1, ks = 1, ys = 1;
    int width = strstr(line, "\"<f4\"") ? 4 : 8, rank = read_axes(line, "input", i);
    read_axes(line, "kernel", k), read_axes(line, "stride", s), read_axes(line, "dilation", d);
    read_axes(line, "output", out), read_field(line, "window", pairs);
    for (int axis = 0; axis < rank; axis++) lo[AXES - rank + axis] = pairs[2 * axis];
    for (int axis = 0; axis < AXES; axis++) xs *= i[axis], ks *= k[axis], ys *= out[axis];
    double *x = read_array(n * g * ic * xs, width), *w = read_array(g * ic * oc * ks, width);
    double *bias = strstr(line, "\"bias\":true") ? read_array(g * oc, width) : calloc(g * oc, sizeof *bias);
    double *y = malloc(n * g * oc * ys * sizeof *y + 1);
    for (long at = 0; at < n * g * oc * ys; at++) y[at] = bias[at / ys % (g * oc)];
    for (long of_x = 0; of_x < n * g * ic * xs; of_x++) for (long to = 0; to < oc; to++) for (long tap = 0; tap < ks; tap++) {
        long channel = of_x / xs, e = of_x % xs, t = tap, place = 0, scale = 1, inside = 1;
        for (int axis = AXES - 1; axis >= 0; e /= i[axis], t /= k[axis], scale *= out[axis], axis--) {
            long at = e % i[axis] * s[axis] + t % k[axis] * d[axis] - lo[axis];
            inside = inside && at >= 0 && at < out[axis], place += at * scale;
        }
        if (inside) y[(channel / ic * oc + to) * ys + place] += x[of_x] * w[(channel % (g * ic) * oc + to) * ks + tap];
    }
    printf("{\"job\":%.18s,\"arrays\":[{\"dtype\":\"<f%d\",\"shape\":[%ld,%ld", strstr(line, "\"job\":") + 6, width, n, g * oc);
    for (int axis = AXES - rank; axis < AXES; axis++) printf(",%ld", out[axis]);
    puts("]}]}");
    for (long at = 0; at < n * g * oc * ys; at++)
        fwrite(width == 4 ? (void *)&(float){(float)y[at]} : (void *)&y[at], width, 1, stdout);
    free(x), free(w), free(bias), free(y);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0 && !strstr(line, "\"do\":\"stop\"")) {
        strstr(line, "\"do\":\"run\"") ? answer(line) : (void)puts("{\"environment\":{\"loops\":\"1.0\"}}");
        puts("{\"ready\":true}"), fflush(stdout);
    }
    return puts("{\"bye\":true}"), 0;
}
