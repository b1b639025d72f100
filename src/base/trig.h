/* Sine, cosine and arc sine that are the same on every processor, with whatever C library: they use
 * only operations that IEEE 754 defines exactly (the Makefile forbids fused ones). They are as good
 * as correctly rounded: errors are below 0.51 units in the last place. */
#ifndef FLOTILLA_BASE_TRIG_H
#define FLOTILLA_BASE_TRIG_H

#define TRIG_PI 3.14159265358979323846

double trig_sin(double x); /* -TRIG_PI <= x <= TRIG_PI */
double trig_cos(double x);
double trig_asin(double y); /* 0 <= y <= 1 */

#endif
