/* Results as one object of JSON. */
#ifndef FLOTILLA_BENCH_REPORT_H
#define FLOTILLA_BENCH_REPORT_H

#include "base/buf.h"
#include "bench/load/load.h"

void report_add(struct buf *out, const struct options *options, const struct results *results);

#endif
