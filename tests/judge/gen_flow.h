/* SPDX-License-Identifier: MIT */
/* Units of the generator: each appends a few instructions and runs them. */
#ifndef TESTS_JUDGE_GEN_FLOW_H
#define TESTS_JUDGE_GEN_FLOW_H

#include "tests/judge/gen.h"

void flow_forward(void);
void flow_loop(void);
void flow_call(void);
void flow_indirect(void);
void flow_memory_target(void);
void flow_far(void);
void flow_popf(void);
void flow_fields(void);
void flow_frame(void);
void flow_undefined(void);

#endif
