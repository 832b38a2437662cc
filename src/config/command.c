/* command: a credential that a command prints.
 *
 * It runs under /bin/sh, as `password_command` options do elsewhere: the configuration's owner writes it, and
 * pipes are what people want there. It gets no input, SECRET_MS, and CONFIG_SECRET_MAX bytes; it runs in a
 * process group of its own, which is killed when it takes longer, with signals as a shell expects them (the
 * gateway blocks some). What it says on stderr is shown on a terminal only: a gateway's log is JSON. A file of its
 * own, so that the fuzzer of configurations can put something harmless in its place. */
#include "config/build.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool start(const char *command, int out, pid_t *pid) {
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    if (!isatty(2)) posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
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
    ssize_t n = secret_read(ends[0], text);
    int why = errno;
    close(ends[0]);
    if (n < 0) kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (n < 0 && why == ETIMEDOUT)
        return yaml_fail(b->e, at, "the command took longer than %d s", SECRET_MS / 1000);
    if (n < 0 && why == EFBIG)
        return yaml_fail(b->e, at, "the command printed more than %d bytes", CONFIG_SECRET_MAX);
    if (n < 0) return yaml_fail(b->e, at, "the command's output could not be read: %s", strerror(why));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return yaml_fail(b->e, at, "the command failed (%s %d)", WIFEXITED(status) ? "exit status" : "signal",
                         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    *out = str_trim(str_make(text, (size_t)n));
    return secret_check(b, at, *out);
}
