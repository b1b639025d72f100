/* Who started the process hears when the node serves, and when it cannot: the parent of a process
 * in the background, and systemd. A watchdog of systemd's hears that the event loop turns. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/number.h"
#include "server/server.h"

enum { LOADING_EXTENDS_US = 60 * 1000 * 1000 };

static bool is_supervised(const struct server *server)
{
    return server->config.supervised == CONFIG_SUPERVISED_SYSTEMD ||
           (server->config.supervised == CONFIG_SUPERVISED_AUTO && getenv("NOTIFY_SOCKET"));
}

/* --- systemd: a datagram to the socket that it names --- */

static bool address_of(const char *path, struct sockaddr_un *address, socklen_t *len)
{
    size_t path_len = strlen(path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((path[0] != '/' && path[0] != '@') || path_len < 2 || path_len >= sizeof address->sun_path)
        return false;
    memcpy(address->sun_path, path, path_len);
    /* An abstract name begins with a zero byte and is as long as it is said to be. */
    if (path[0] == '@')
        address->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len + (path[0] == '/'));
    return true;
}

static void notify(const struct server *server, const char *text)
{
    if (!is_supervised(server))
        return;
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t len;
    if (!path) {
        log_line(&server->log, LOG_WARNING,
                 "'supervised systemd': NOTIFY_SOCKET is not set, so nobody is told \"%.20s\"",
                 text);
        return;
    }
    if (!address_of(path, &address, &len)) {
        log_line(&server->log, LOG_WARNING, "NOTIFY_SOCKET '%.120s': no path of a unix socket",
                 path);
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t sent = -1;
    if (fd >= 0)
        sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                      (const struct sockaddr *)&address, len);
    if (sent < 0)
        log_line(&server->log, LOG_WARNING, "NOTIFY_SOCKET '%.120s': %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* --- systemd's watchdog --- */

/* WATCHDOG_PID names the process that is watched, if it is not each that inherits the variables. */
static bool is_watched(const struct server *server)
{
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t number;
    return is_supervised(server) &&
           (!pid || (number_parse_u64(span_text(pid), &number) && number == (uint64_t)getpid()));
}

/* Twice within the time that it waits: one message may come late. */
void server_watchdog_open(struct server *server)
{
    const char *text = getenv("WATCHDOG_USEC");
    uint64_t us;
    server->watchdog_due_ms = UINT64_MAX;
    if (!text || !is_watched(server))
        return;
    if (!number_parse_u64(span_text(text), &us) || us == 0) {
        log_line(&server->log, LOG_WARNING,
                 "WATCHDOG_USEC '%.40s': no number of microseconds, so the watchdog hears nothing",
                 text);
        return;
    }
    server->watchdog_ms = us / 2000 ? us / 2000 : 1;
    server->watchdog_due_ms = 0;
}

void server_watchdog_tick(struct server *server, uint64_t now_ms)
{
    if (now_ms < server->watchdog_due_ms)
        return;
    server->watchdog_due_ms = now_ms + server->watchdog_ms;
    notify(server, "WATCHDOG=1\n");
}

/* --- the background --- */

/* The child's first byte says that it serves; without one it has ended, and said why. */
static _Noreturn void wait_for_child(int fd, pid_t child)
{
    char byte;
    ssize_t got;
    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1)
        _exit(0);
    int status = 1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

bool server_go_background(struct server *server)
{
    server->ready_fd = -1;
    if (!server->config.daemonize || is_supervised(server))
        return true;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC)) {
        server_log_say(strerror(errno));
        return false;
    }
    pid_t child = fork();
    if (child > 0) {
        close(fds[1]);
        wait_for_child(fds[0], child);
    }
    close(fds[0]);
    if (child < 0) {
        server_log_say(strerror(errno));
        close(fds[1]);
        return false;
    }
    setsid();
    server->ready_fd = fds[1];
    return true;
}

/* The terminal is let go only now: until here it showed why a start failed. */
static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

void server_tell_ready(struct server *server)
{
    if (server->ready_fd >= 0) {
        leave_terminal();
        ssize_t ignored = write(server->ready_fd, "r", 1); /* the parent may be gone */
        (void)ignored;
        close(server->ready_fd);
        server->ready_fd = -1;
    }
    notify(server, "READY=1\nSTATUS=serving\n");
}

void server_tell_loading(const struct server *server, double percent)
{
    char text[96];
    snprintf(text, sizeof text, "STATUS=loading: %.0f%%\nEXTEND_TIMEOUT_USEC=%d\n", percent,
             LOADING_EXTENDS_US);
    notify(server, text);
}

void server_tell_stopping(const struct server *server)
{
    notify(server, "STOPPING=1\nSTATUS=stopping\n");
}
