/* A command line as text. */
#ifndef REPLAY_COMMAND_TEXT_H
#define REPLAY_COMMAND_TEXT_H

/* Returns the command line as one line that a shell reads back, NULL where memory ran out; the
 * caller frees it. To be asked before the line is parsed, which reorders it. */
char *command_text(int argc, char **argv);

#endif
