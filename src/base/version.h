/* Which version this is. */
#ifndef FLOTILLA_BASE_VERSION_H
#define FLOTILLA_BASE_VERSION_H

#define FLOTILLA_VERSION       "0.1.0"
#define FLOTILLA_REDIS_VERSION "7.2.4" /* whose behaviour the commands follow */

#endif
