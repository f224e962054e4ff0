/* A lifecycle that keeps power states in a table and starts nothing. */
#ifndef TESTS_UNIT_LIFECYCLE_DOUBLE_H
#define TESTS_UNIT_LIFECYCLE_DOUBLE_H

struct domain;
struct lifecycle;

/* state is a literal, "Halted" for off. */
void lifecycle_double_set(
    struct lifecycle *lifecycle, const struct domain *domain, const char *state);

#endif
