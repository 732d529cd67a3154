/* SIGINT and SIGTERM during a campaign: what is finished is kept, and nothing further begins. */
#ifndef REPLAY_INTERRUPT_H
#define REPLAY_INTERRUPT_H

#include <stdbool.h>

/* From now on an interrupt is noted. `can_resume` tells whether what is measured is written to a
 * folder, too, from which a later campaign can go on. */
void interrupt_catch(bool can_resume);

/* Whether one came. */
bool interrupt_came(void);

/* Between true and false an interrupt ends the program at once, with a message and
 * COMMAND_ENVIRONMENT: for a source that is read to its end, which can take for ever, while no run
 * is under way and all rows are written. */
void interrupt_ends_at_once(bool does);

#endif
