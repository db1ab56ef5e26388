#include "replica/node_state.h"

#include <stdlib.h>

void operation_begin(struct node *n, struct message *m)
{
    (void)n;
    free(m);
}
