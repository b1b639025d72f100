/* What there is at which path. */
#include "http/internal.h"

#include <string.h>

static const struct http_route routes[] = {
    {.method = "GET", .path = "/health", .open = true, .run = http_run_health},
    {.method = "GET", .path = "/ready", .open = true, .run = http_run_ready},
    {.method = "GET", .path = "/status", .run = http_run_status},
    {.method = "GET", .path = "/cluster/info", .run = http_run_cluster},
    {.method = "GET", .path = "/stats", .run = http_run_stats},
    {.method = "GET", .path = "/metrics", .run = http_run_metrics},
    {.method = "GET", .path = "/kv/", .argument = "{key}", .run = http_run_get},
    {.method = "PUT",
     .path = "/kv/",
     .argument = "{key}",
     .body = HTTP_ANY_BODY,
     .run = http_run_put},
    {.method = "DELETE", .path = "/kv/", .argument = "{key}", .run = http_run_delete},
    {.method = "POST", .path = "/command", .body = HTTP_JSON_BODY, .run = http_run_command},
    {.method = "POST", .path = "/batch", .body = HTTP_JSON_BODY, .run = http_run_batch},
};
enum { ROUTES = sizeof routes / sizeof *routes };

static const struct http_error not_found = {404, "not_found", "there is nothing at this path"};
static const struct http_error not_allowed = {405, "method_not_allowed",
                                              "this path does not have this method"};
static const struct http_error not_known = {501, "method_not_implemented",
                                            "there is no such method"};
static const struct http_error no_body = {400, "unexpected_body",
                                          "this method takes no body at this path"};

const struct http_route *http_route_at(size_t index)
{
    return index < ROUTES ? &routes[index] : NULL;
}

static bool fits(const struct http_route *route, struct span path, struct span *argument)
{
    if (!route->argument)
        return span_equal(path, span_text(route->path));
    size_t len = strlen(route->path);
    if (path.len <= len || !span_begins_with(path, span_text(route->path)))
        return false;
    *argument = span_of(path.ptr + len, path.len - len);
    return true;
}

/* HEAD is GET without the body of the response. */
static bool has_method(const struct http_route *route, struct span method)
{
    return span_equal(method, span_text(route->method)) ||
           (span_equal(method, SPAN("HEAD")) && strcmp(route->method, "GET") == 0);
}

/* Whether the standard has such a method. Another one is refused without looking at the path. */
static bool is_known(struct span method)
{
    static const char *const known[] = {"GET",   "HEAD",    "PUT",     "DELETE", "POST",
                                        "PATCH", "OPTIONS", "CONNECT", "TRACE",  "QUERY"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_equal(method, span_text(known[i])))
            return true;
    return false;
}

const struct http_route *http_find_route(struct http_connection *connection,
                                         struct http_error *error, const char **allowed)
{
    const struct http_request *request = &connection->request;
    const struct http_route *of_path = NULL;
    *error = is_known(request->method) ? not_found : not_known;
    if (error->status == not_known.status)
        return NULL;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!fits(&routes[i], request->path, &connection->argument))
            continue;
        of_path = &routes[i];
        if (!has_method(of_path, request->method))
            continue;
        if (of_path->body != HTTP_NO_BODY || (request->length == 0 && !request->chunked))
            return of_path;
        *error = no_body;
        return NULL;
    }
    if (!of_path)
        return NULL;
    *error = not_allowed;
    *allowed = of_path->argument                     ? "GET, HEAD, PUT, DELETE"
               : strcmp(of_path->method, "GET") == 0 ? "GET, HEAD"
                                                     : "POST";
    return NULL;
}
