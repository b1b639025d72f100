#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "unit/support/test.h"

_Noreturn void host_fatal(const char *file, int line, const char *message)
{
    mock_assert(0, message, file, line);
    abort();
}
