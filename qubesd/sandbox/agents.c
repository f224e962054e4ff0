#include "qubesd/sandbox/agents.h"
#include "shared/log.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct agent all_agents[AGENT_COUNT] = {
    {.program = "/opt/bordure/bin/qrexec-agent"},
    {.program = "/opt/bordure/bin/qubes-gui", .as_user = true, .needs_gui = true},
};

void
agents_init(struct agent agents[AGENT_COUNT], const struct guest_conf *conf, int64_t now_ms)
{
	memcpy(agents, all_agents, sizeof(all_agents));
	for (int i = 0; i < AGENT_COUNT; i++) {
		bool wanted = !agents[i].needs_gui || conf->gui_domain >= 0;

		agents[i].due_ms = wanted ? now_ms : INT64_MAX;
		agents[i].pause_ms = AGENT_PAUSE_FIRST_MS;
	}
}

static int
become(const struct account *user)
{
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

static void child_run(const struct agent *agent, const struct account *user, bool switches)
    __attribute__((noreturn));

static void
child_run(const struct agent *agent, const struct account *user, bool switches)
{
	sigset_t none;
	int r = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (switches)
		r = become(user);
	if (r == 0) {
		set_environment(user);
		if (chdir(user->home) < 0)
			(void)!chdir("/");
		execl(agent->program, agent->program, (char *)NULL);
		r = -errno;
	}
	log_error("%s: %s", agent->program, strerror(-r));
	_exit(127);
}

static const struct account root_account = {"root", "/root", 0, 0, 0};

static void
start(struct agent *agent, const struct account *user, bool privileged, int64_t now_ms)
{
	bool as_root = privileged && !agent->as_user;
	pid_t pid = fork();

	if (pid == 0)
		child_run(agent, as_root ? &root_account : user, privileged && !as_root);
	if (pid < 0) {
		log_error("%s: %s", agent->program, strerror(errno));
		agent->due_ms = now_ms + AGENT_PAUSE_LAST_MS;
		return;
	}
	agent->pid = pid;
	agent->started_ms = now_ms;
	agent->due_ms = INT64_MAX;
}

void
agents_start_due(
    struct agent agents[AGENT_COUNT], const struct account *user, bool privileged, int64_t now_ms)
{
	for (int i = 0; i < AGENT_COUNT; i++)
		if (agents[i].pid == 0 && agents[i].due_ms <= now_ms)
			start(&agents[i], user, privileged, now_ms);
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
agents_on_exit(struct agent agents[AGENT_COUNT], pid_t pid, int status, int64_t now_ms)
{
	for (int i = 0; i < AGENT_COUNT; i++) {
		if (agents[i].pid != pid)
			continue;
		agents[i].pid = 0;
		fall_due(&agents[i], now_ms);
		log_warn("%s ended (%s %d)", agents[i].program,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
}

int
agents_timeout(const struct agent agents[AGENT_COUNT], int64_t now_ms)
{
	int64_t due = INT64_MAX;

	for (int i = 0; i < AGENT_COUNT; i++)
		if (agents[i].pid == 0 && agents[i].due_ms < due)
			due = agents[i].due_ms;
	if (due == INT64_MAX)
		return -1;
	return due <= now_ms ? 0 : (int)(due - now_ms);
}
