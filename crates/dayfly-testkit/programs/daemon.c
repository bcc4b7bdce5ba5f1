/*
 * Becomes a daemon as the textbooks say (a child, a session, a grandchild), and runs the command
 * once a file appears: time for whoever started it to be gone.
 *
 *   daemon FILE COMMAND...
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void leave_parent(void) {
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(1);
    }
    if (child > 0)
        _exit(0);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    leave_parent();
    setsid();
    leave_parent();
    /* No longer than a minute, so that nothing is left of a test that failed. */
    for (int tries = 0; tries < 60000 && access(argv[1], F_OK) != 0; tries++)
        usleep(1000);
    execvp(argv[2], argv + 2);
    return 127;
}
