/* Names of the tests' own: a library between the server and the system's resolver.
 *
 * The file that FLOTILLA_NAMES names holds lines "name address", several for a name with several.
 * It is read anew for each question, as a server of names would answer. Names that are not in it do
 * not exist; addresses pass. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int look_up(const char *host, const char *service, const struct addrinfo *hints,
                    struct addrinfo **found);

/* The lists of all addresses that the name has, one behind the other: the system's freeaddrinfo()
 * frees entry by entry. */
static void look_up_all(look_up *real, const char *name, const char *service,
                        const struct addrinfo *hints, struct addrinfo **found)
{
    char line[512];
    char listed[256];
    char address[64];
    const char *path = getenv("FLOTILLA_NAMES");
    FILE *file = path ? fopen(path, "re") : NULL;
    *found = NULL;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%255s %63s", listed, address) == 2 && strcmp(listed, name) == 0 &&
            real(address, service, hints, found) == 0)
            while (*found)
                found = &(*found)->ai_next;
    if (file)
        fclose(file);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    static look_up *real;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    int error = host ? real(host, service,
                            &(struct addrinfo){.ai_family = AF_UNSPEC,
                                               .ai_socktype = SOCK_STREAM,
                                               .ai_flags = AI_NUMERICHOST},
                            found)
                     : 0;
    if (!host || error == 0 || (hints && hints->ai_flags & AI_NUMERICHOST)) {
        if (host && error == 0)
            freeaddrinfo(*found);
        return real(host, service, hints, found);
    }
    look_up_all(real, host, service, hints, found);
    return *found ? 0 : EAI_NONAME;
}
