/*
 * An ordinary client that knows nothing of dayfly; each way of compiling it is a case of its own.
 *
 *   client CALL ADDRESS PORT [WORD...]
 *
 * CALL is how a destination is named: connect, nonblocking, fastopen (TCP); udp, sendto, sendmsg,
 * sendmmsg (UDP). The family is that of ADDRESS. Without more words one connection is made, asks the
 * server for the address that it sees, prints the answer and stays open until the end.
 *
 *   count=N           so many, all open at the same time
 *   threads           each of them in a thread of its own
 *   bind=ADDRESS      bind to the address first, port 0        port=N   and to this port
 *   no-port           with IP_BIND_ADDRESS_NO_PORT
 *   requests=N        one after the other, closed by the client; prints how many were answered
 *   seconds=S         the same for so long; a refusal for want of a port is tried again; prints how
 *                     many were answered in each second
 *   turns=B           for every byte on standard input, B times socket() and connect(), closed with
 *                     a reset; prints the nanoseconds of each
 *
 * Any refusal ends it with status 1 and the name of the call on standard error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#define MOST 4096

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static const char *call;
static union address destination, source;
static int binds, no_port, silent;
static char answers[MOST][80];

static int is(const char *word) { return strcmp(call, word) == 0; }

static int tcp(void) { return is("connect") || is("nonblocking") || is("fastopen"); }

static socklen_t length(const union address *address) {
    return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

static void parse(union address *address, const char *text, int port) {
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
    } else {
        fprintf(stderr, "%s is no address\n", text);
        exit(2);
    }
}

static int fail(const char *name) {
    int why = errno;
    if (!silent || why != EADDRNOTAVAIL)
        fprintf(stderr, "%s: %s\n", name, strerror(why));
    errno = why;
    return -1;
}

static int send_message(int fd) {
    struct iovec part = {"?\n", 2};
    struct mmsghdr message = {0};
    message.msg_hdr.msg_name = &destination;
    message.msg_hdr.msg_namelen = length(&destination);
    message.msg_hdr.msg_iov = &part;
    message.msg_hdr.msg_iovlen = 1;
    if (is("sendmsg"))
        return sendmsg(fd, &message.msg_hdr, 0) == 2 ? 0 : -1;
    return sendmmsg(fd, &message, 1, 0) == 1 ? 0 : -1;
}

static int finish_connecting(int fd) {
    struct pollfd wait = {fd, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    poll(&wait, 1, 10000);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    return error ? -1 : 0;
}

/* Opens a socket and asks; the descriptor, or -1. With ask = 0 it stops once connected. */
static int open_one(int ask) {
    int kind = (tcp() ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
    int fd = socket(destination.any.sa_family, kind | (is("nonblocking") ? SOCK_NONBLOCK : 0), 0);
    int on = 1;
    if (fd < 0)
        return fail("socket");
    if (no_port && setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0)
        return close(fd), fail("IP_BIND_ADDRESS_NO_PORT");
    if (binds && bind(fd, &source.any, length(&source)) < 0)
        return close(fd), fail("bind");
    int sent = 0;
    if (is("sendto") || is("fastopen")) {
        int flags = is("fastopen") ? MSG_FASTOPEN : 0;
        if (sendto(fd, "?\n", 2, flags, &destination.any, length(&destination)) != 2)
            return close(fd), fail("sendto");
        sent = 1;
    } else if (is("sendmsg") || is("sendmmsg")) {
        if (send_message(fd) < 0)
            return close(fd), fail(call);
        sent = 1;
    } else if (connect(fd, &destination.any, length(&destination)) < 0 &&
               !(is("nonblocking") && errno == EINPROGRESS && finish_connecting(fd) == 0)) {
        int why = errno;
        close(fd);
        errno = why;
        return fail("connect");
    }
    if (ask && !sent && send(fd, "?\n", 2, MSG_NOSIGNAL) != 2)
        return close(fd), fail("send");
    return fd;
}

static int receive(int fd, char *answer, size_t size) {
    struct pollfd wait = {fd, POLLIN, 0};
    if (poll(&wait, 1, 10000) != 1) {
        errno = ETIMEDOUT;
        return fail("poll");
    }
    ssize_t got = recv(fd, answer, size - 1, 0);
    if (got <= 0)
        return fail("recv");
    answer[got] = 0;
    return 0;
}

static void *one(void *answer) {
    int fd = open_one(1);
    if (fd < 0 || receive(fd, answer, sizeof answers[0]) < 0)
        exit(1);
    return NULL; /* stays open until the process ends */
}

static void many(int count, int threads) {
    pthread_t thread[MOST];
    for (int i = 0; i < count; i++)
        if (!threads)
            one(answers[i]);
        else if (pthread_create(&thread[i], NULL, one, answers[i]) != 0)
            exit(1);
    for (int i = 0; i < count; i++) {
        if (threads)
            pthread_join(thread[i], NULL);
        fputs(answers[i], stdout);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

/* 0 when answered, -1 when not. */
static int request(void) {
    char answer[80];
    int fd = open_one(1);
    if (fd < 0 || receive(fd, answer, sizeof answer) < 0)
        return -1;
    /* Until the server has closed as well, the connection is not over, and its port taken. */
    shutdown(fd, SHUT_WR);
    int rest = recv(fd, answer, sizeof answer, 0);
    close(fd);
    return rest;
}

static int requests(long count) {
    for (long done = 0; done < count; done++)
        if (request() < 0) {
            fprintf(stderr, "after %ld\n", done);
            return 1;
        }
    printf("%ld\n", count);
    return 0;
}

static int for_seconds(int seconds) {
    double begun = now();
    silent = 1;
    for (int second = 1; second <= seconds; second++) {
        long done = 0;
        while (now() < begun + second * 1e9)
            if (request() == 0)
                done++;
            else if (errno != EADDRNOTAVAIL)
                return 1;
        printf("%ld\n", done);
    }
    return 0;
}

static int turns(int batch) {
    struct linger reset = {1, 0};
    char byte;
    while (read(0, &byte, 1) == 1) {
        for (int i = 0; i < batch; i++) {
            double begun = now();
            int fd = open_one(0);
            double took = now() - begun;
            if (fd < 0)
                return 1;
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            close(fd);
            printf("%.0f ", took);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv) {
    int count = 1, threads = 0, batch = 0, port = 0, seconds = 0;
    long sequence = 0;
    const char *from = NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: client CALL ADDRESS PORT [WORD...]\n");
        return 2;
    }
    call = argv[1];
    parse(&destination, argv[2], atoi(argv[3]));
    for (int i = 4; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        value = value ? value + 1 : "";
        if (!strncmp(argv[i], "count=", 6)) count = atoi(value);
        else if (!strcmp(argv[i], "threads")) threads = 1;
        else if (!strncmp(argv[i], "bind=", 5)) from = value;
        else if (!strncmp(argv[i], "port=", 5)) port = atoi(value);
        else if (!strcmp(argv[i], "no-port")) no_port = 1;
        else if (!strncmp(argv[i], "requests=", 9)) sequence = atol(value);
        else if (!strncmp(argv[i], "seconds=", 8)) seconds = atoi(value);
        else if (!strncmp(argv[i], "turns=", 6)) batch = atoi(value);
        else {
            fprintf(stderr, "client: what is %s?\n", argv[i]);
            return 2;
        }
    }
    if (from) {
        parse(&source, from, port);
        binds = 1;
    }
    if (batch)
        return turns(batch);
    if (seconds)
        return for_seconds(seconds);
    if (sequence)
        return requests(sequence);
    if (count > MOST)
        return 2;
    many(count, threads);
    return 0;
}
