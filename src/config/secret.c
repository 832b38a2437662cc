/* secret: credentials from files and commands. Neither their text nor a part of it comes into a message.
 *
 * A command runs under /bin/sh, as `password_command` options do elsewhere: the configuration's owner writes
 * it, and pipes are what people want there. It gets no input, SECRET_COMMAND_MS, and CONFIG_SECRET_MAX bytes;
 * it runs in a process group of its own, which is killed when it takes longer. */
#include "config/build.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECRET_COMMAND_MS = 10000 };

extern char **environ;

bool secret_check(struct build *b, const ynode *at, str secret) {
    if (!secret.n) return yaml_fail(b->e, at, "the credential is empty");
    for (size_t i = 0; i < secret.n; i++)
        if ((unsigned char)secret.p[i] <= ' ' || (unsigned char)secret.p[i] > '~')
            return yaml_fail(
                b->e, at,
                "the credential has characters that can't stand in a header (spaces, line ends, or not ASCII)");
    return true;
}

/* Reads to the end, at most CONFIG_SECRET_MAX bytes, until `deadline`; the bytes, or -1. */
static ssize_t read_all(int fd, char *to, uint64_t deadline) {
    size_t n = 0;
    for (;;) {
        uint64_t now = clock_mono_us();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= deadline || poll(&p, 1, (int)((deadline - now) / 1000) + 1) < 0) {
            if (now < deadline && errno == EINTR) continue;
            errno = ETIMEDOUT;
            return -1;
        }
        if (!p.revents) continue;
        ssize_t got = read(fd, to + n, CONFIG_SECRET_MAX + 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) return (ssize_t)n;
        n += (size_t)got;
        if (n > CONFIG_SECRET_MAX) {
            errno = EFBIG;
            return -1;
        }
    }
}

bool secret_file(struct build *b, const ynode *at, str *out) {
    str path;
    if (!yaml_str(at, &path, b->e)) return false;
    path = build_path(b, path);
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return yaml_fail(b->e, at, "%.*s: %s", STR_ARG(str_take(path, 128)), strerror(errno));
    char *text = arena_alloc(b->a, CONFIG_SECRET_MAX + 1);
    ssize_t n = read_all(fd, text, clock_mono_us() + SECRET_COMMAND_MS * 1000u);
    int why = errno;
    close(fd);
    if (n < 0) return yaml_fail(b->e, at, "%.*s: %s", STR_ARG(str_take(path, 128)), strerror(why));
    *out = str_trim(str_make(text, (size_t)n));
    return secret_check(b, at, *out);
}

static bool start(const char *command, int out, pid_t *pid) {
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawn(pid, "/bin/sh", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    errno = failed;
    return !failed;
}

bool secret_command(struct build *b, const ynode *at, str *out) {
    str command;
    int ends[2], status = 0;
    pid_t pid;
    if (!yaml_str(at, &command, b->e)) return false;
    if (pipe2(ends, O_CLOEXEC) != 0) return yaml_fail(b->e, at, "no pipe for the command: %s", strerror(errno));
    bool good = start(arena_strz(b->a, command), ends[1], &pid);
    close(ends[1]);
    if (!good) {
        close(ends[0]);
        return yaml_fail(b->e, at, "the command could not be started: %s", strerror(errno));
    }
    char *text = arena_alloc(b->a, CONFIG_SECRET_MAX + 1);
    ssize_t n = read_all(ends[0], text, clock_mono_us() + SECRET_COMMAND_MS * 1000u);
    int why = errno;
    close(ends[0]);
    if (n < 0) kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (n < 0 && why == ETIMEDOUT)
        return yaml_fail(b->e, at, "the command took longer than %d s", SECRET_COMMAND_MS / 1000);
    if (n < 0 && why == EFBIG)
        return yaml_fail(b->e, at, "the command printed more than %d bytes", CONFIG_SECRET_MAX);
    if (n < 0) return yaml_fail(b->e, at, "the command's output could not be read: %s", strerror(why));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return yaml_fail(b->e, at, "the command failed (%s %d)", WIFEXITED(status) ? "exit status" : "signal",
                         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    *out = str_trim(str_make(text, (size_t)n));
    return secret_check(b, at, *out);
}
