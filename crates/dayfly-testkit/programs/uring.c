/*
 * Connects through io_uring, by bare system calls; where the kernel has no io_uring, as everybody
 * does. Prints the server's answer and says on standard error which way it went.
 *
 *   uring ADDRESS PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int connect_by_ring(int ring, struct io_uring_params *params, int fd,
                           struct sockaddr_in *destination) {
    size_t size = params->sq_off.array + params->sq_entries * sizeof(unsigned);
    size_t completions =
        params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    int shared = MAP_SHARED | MAP_POPULATE;
    char *submit = mmap(NULL, size, PROT_READ | PROT_WRITE, shared, ring, IORING_OFF_SQ_RING);
    char *complete =
        mmap(NULL, completions, PROT_READ | PROT_WRITE, shared, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry = mmap(NULL, params->sq_entries * sizeof *entry,
                                      PROT_READ | PROT_WRITE, shared, ring, IORING_OFF_SQES);
    if (submit == MAP_FAILED || complete == MAP_FAILED || entry == MAP_FAILED)
        return -errno;
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_CONNECT;
    entry->fd = fd;
    entry->addr = (unsigned long)destination;
    entry->off = sizeof *destination;
    ((unsigned *)(submit + params->sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(submit + params->sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        return -errno;
    return ((struct io_uring_cqe *)(complete + params->cq_off.cqes))[0].res;
}

int main(int argc, char **argv) {
    struct sockaddr_in destination = {.sin_family = AF_INET};
    struct io_uring_params params = {0};
    char answer[80] = {0};
    if (argc != 3 || inet_pton(AF_INET, argv[1], &destination.sin_addr) != 1)
        return 2;
    destination.sin_port = htons(atoi(argv[2]));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int ring = syscall(SYS_io_uring_setup, 1, &params);
    if (ring >= 0) {
        fprintf(stderr, "io_uring\n");
        int result = connect_by_ring(ring, &params, fd, &destination);
        if (result < 0) {
            fprintf(stderr, "io_uring connect: %s\n", strerror(-result));
            return 1;
        }
    } else {
        fprintf(stderr, "no io_uring: %s\n", strerror(errno));
        if (connect(fd, (struct sockaddr *)&destination, sizeof destination) < 0)
            return perror("connect"), 1;
    }
    if (send(fd, "?\n", 2, 0) != 2 || recv(fd, answer, sizeof answer - 1, 0) <= 0)
        return perror("ask"), 1;
    fputs(answer, stdout);
    return 0;
}
