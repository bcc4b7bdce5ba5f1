/*
 * The usual answer to "force the source port": a library that is loaded before the others and binds
 * a socket before the program's connect() goes on. SOURCE_PORT says the port. A peer to compare
 * with: it does what the usual ones do, with SO_REUSEADDR, for both families, for TCP.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *to, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    const char *port = getenv("SOURCE_PORT");
    int kind = 0, on = 1;
    socklen_t size = sizeof kind;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size);
    if (port && kind == SOCK_STREAM) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(port))};
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (to->sa_family == AF_INET)
            bind(fd, (struct sockaddr *)&v4, sizeof v4);
        else if (to->sa_family == AF_INET6)
            bind(fd, (struct sockaddr *)&v6, sizeof v6);
    }
    return real(fd, to, length);
}
