#include "qubesd/guest/agents.h"
#include "shared/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const qrexec_agent[] = {"/opt/bordure/bin/qrexec-agent", NULL};
static const char *const gui_agent[] = {"/opt/bordure/bin/qubes-gui", NULL};
static const char *const gui_session[] = {"/opt/bordure/bin/bordure-gui-session", NULL};
static const struct account root_account = {"root", "/root", 0, 0, 0};

void
agents_add(struct agents *agents, const char *const *argv, const struct account *user, int pass_fd,
    int64_t now_ms)
{
	assert(agents->count < AGENTS_MAX);
	agents->list[agents->count++] = (struct agent){
	    .argv = argv,
	    .user = user,
	    .pass_fd = pass_fd,
	    .due_ms = now_ms,
	    .pause_ms = AGENT_PAUSE_FIRST_MS,
	};
}

void
agents_add_all(struct agents *agents, const struct guest_conf *conf, const struct account *user,
    int64_t now_ms)
{
	agents_add(agents, qrexec_agent, conf->privileged ? &root_account : user, -1, now_ms);
	if (conf->gui_domain != -1)
		agents_add(agents, gui_agent, user, -1, now_ms);
	else if (guest_conf_has_service(conf, "guivm"))
		agents_add(agents, gui_session, user, -1, now_ms);
}

static int
become(const struct account *user)
{
	if (geteuid() != 0 || user->uid == 0)
		return 0; /* there is nobody else to become, or we are that one */
	if (setgroups(1, &user->group) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}

static void
set_environment(const struct account *user)
{
	setenv("HOME", user->home, 1);
	setenv("USER", user->name, 1);
	setenv("LOGNAME", user->name, 1);
	setenv("SHELL", "/bin/bash", 1);
}

static int
enter(const struct agent *agent)
{
	int r;

	if (agent->pass_fd >= 0 && fcntl(agent->pass_fd, F_SETFD, 0) < 0)
		return -errno;
	if (agent->user == NULL)
		return 0;
	r = become(agent->user);
	if (r < 0)
		return r;
	set_environment(agent->user);
	if (chdir(agent->user->home) < 0)
		(void)!chdir("/");
	return 0;
}

static void child_run(const struct agent *agent) __attribute__((noreturn));

static void
child_run(const struct agent *agent)
{
	sigset_t none;
	int r;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	r = enter(agent);
	if (r == 0) {
		execv(agent->argv[0], (char *const *)agent->argv);
		r = -errno;
	}
	log_error("%s: %s", agent->argv[0], strerror(-r));
	_exit(127);
}

static void
start(struct agent *agent, int64_t now_ms)
{
	pid_t pid = fork();

	if (pid == 0)
		child_run(agent);
	if (pid < 0) {
		log_error("%s: %s", agent->argv[0], strerror(errno));
		agent->due_ms = now_ms + AGENT_PAUSE_LAST_MS;
		return;
	}
	agent->pid = pid;
	agent->started_ms = now_ms;
	agent->due_ms = INT64_MAX;
}

void
agents_start_due(struct agents *agents, int64_t now_ms)
{
	for (size_t i = 0; i < agents->count; i++)
		if (agents->list[i].pid == 0 && agents->list[i].due_ms <= now_ms)
			start(&agents->list[i], now_ms);
}

static void
fall_due(struct agent *agent, int64_t now_ms)
{
	if (now_ms - agent->started_ms >= AGENT_STABLE_MS)
		agent->pause_ms = AGENT_PAUSE_FIRST_MS;
	agent->due_ms = now_ms + agent->pause_ms;
	agent->pause_ms *= 2;
	if (agent->pause_ms > AGENT_PAUSE_LAST_MS)
		agent->pause_ms = AGENT_PAUSE_LAST_MS;
}

void
agents_on_exit(struct agents *agents, pid_t pid, int status, int64_t now_ms)
{
	for (size_t i = 0; i < agents->count; i++) {
		struct agent *agent = &agents->list[i];

		if (agent->pid != pid)
			continue;
		agent->pid = 0;
		fall_due(agent, now_ms);
		log_warn("%s ended (%s %d)", agent->argv[0],
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
}

int
agents_timeout(const struct agents *agents, int64_t now_ms)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < agents->count; i++)
		if (agents->list[i].pid == 0 && agents->list[i].due_ms < due)
			due = agents->list[i].due_ms;
	if (due == INT64_MAX)
		return -1;
	return due <= now_ms ? 0 : (int)(due - now_ms);
}
