/*
 * status - how far the agent is, for programs in the qube: gui-agent.status in the runtime folder.
 *
 * Shape:  one line: "starting", "started" (a daemon is waited for), "connected". No file: no agent.
 *         Written in place. Nothing depends on it, so a folder that cannot be written is no error.
 */
#ifndef GUI_AGENT_STATUS_H
#define GUI_AGENT_STATUS_H

void status_write(const char *word);
void status_remove(void);

#endif
