/* The version of this program. */
#ifndef FLOTILLA_BASE_VERSION_H
#define FLOTILLA_BASE_VERSION_H

#define FLOTILLA_VERSION       "0.1.0"
#define FLOTILLA_REDIS_VERSION "7.2.4" /* the commands behave as in this version */

#endif
