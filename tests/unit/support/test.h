/* What every unit test includes. */
#ifndef FLOTILLA_TESTS_UNIT_SUPPORT_TEST_H
#define FLOTILLA_TESTS_UNIT_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The host's fatal() of unit tests is cmocka's: expect_assert_failure(call) tests an ASSERT. */

#endif
