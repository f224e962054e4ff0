/*
 * clean_env - an environment in which nobody else decides what runs in the prompt: no preloaded
 * libraries, no GTK modules, themes, input methods or data folders from a session's files.
 */
#ifndef PROMPT_CLEAN_ENV_H
#define PROMPT_CLEAN_ENV_H

/* The clean form of an environment, new, to be freed with g_strfreev(). Of itself it is itself. */
char **clean_env_of(const char *const *environment);

/* Starts the program anew when its environment is not clean. Returns 0 or a negative errno. */
int clean_env_ensure(char **argv);

#endif
