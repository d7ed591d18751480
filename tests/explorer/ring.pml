/* The ring of the explorer's scope "sc", written for Spin: one slot, indices of two bits, sequentially
 * consistent memory. A transition is one step of one side, as in xenmodel.rings; nothing is reduced, so the
 * number of states is the explorer's. 255 stands for a slot in which nobody has written.
 */

#define FRONT 0
#define BACK 1
#define NOTHING 255
#define SIZE 1

#define ASLEEP 0
#define FILL 1
#define ORDER 2
#define PUBLISH 3
#define FENCE 4
#define CHECK 5
#define NOTIFY 6
#define LOOK 7
#define READS 8
#define TAKE 9
#define COPIED 10
#define ASK 11
#define ASKED 12
#define AGAIN 13
#define BROKEN 14

byte stage[2], prod[2], cons[2], pushed[2], old[2], limit[2];
byte wanted[2] = 1;
byte item[2] = NOTHING;
byte prod_cell[2];               /* req_prod, rsp_prod */
byte event_cell[2] = 1;          /* rsp_event, req_event: by the side that asks */
byte slot = NOTHING;
byte written[2] = NOTHING;
bool bell[2], sent[2], held[2];
byte answers[2];
hidden byte found, most, r;

#define AHEAD(a, b) ((a + 4 - b) & 3)
#define NEXT(a) ((a + 1) & 3)
#define ROOM_FRONT (SIZE - AHEAD(prod[FRONT], cons[FRONT]))
#define ROOM_BACK AHEAD(cons[BACK], prod[BACK])
#define MUST_ANSWER(x) (x == BACK && ROOM_BACK != 0)
#define MOST(x) (x == FRONT -> AHEAD(prod[x], cons[x]) : SIZE - AHEAD(cons[x], prod[x]))
#define ILL(x) (x == FRONT -> AHEAD(found, cons[x]) > MOST(x) : AHEAD(found, prod[x]) > SIZE)
#define CROSSED(x) (AHEAD(pushed[x], event_cell[1 - x]) < AHEAD(pushed[x], old[x]))

#define STEPS(x) \
  :: d_step { stage[x] == ASLEEP && bell[x] -> bell[x] = false; stage[x] = LOOK } \
  :: d_step { stage[x] == FILL && prod[x] != pushed[x] -> old[x] = prod_cell[x]; stage[x] = ORDER } \
  :: d_step { stage[x] == ORDER -> stage[x] = PUBLISH } \
  :: d_step { stage[x] == PUBLISH -> prod_cell[x] = prod[x]; pushed[x] = prod[x]; stage[x] = FENCE } \
  :: d_step { stage[x] == FENCE -> stage[x] = CHECK } \
  :: d_step { stage[x] == CHECK -> stage[x] = (CROSSED(x) -> NOTIFY : LOOK); old[x] = pushed[x] } \
  :: d_step { stage[x] == NOTIFY -> bell[1 - x] = true; stage[x] = LOOK } \
  :: d_step { stage[x] == LOOK -> found = prod_cell[1 - x]; \
       if \
       :: ILL(x) -> stage[x] = BROKEN \
       :: !ILL(x) && found == cons[x] -> stage[x] = (MUST_ANSWER(x) -> FILL : ASK) \
       :: else -> most = MOST(x); \
          limit[x] = (AHEAD(found, cons[x]) <= most -> found : ((cons[x] + most) & 3)); stage[x] = READS \
       fi } \
  :: d_step { stage[x] == READS -> stage[x] = TAKE } \
  :: d_step { stage[x] == TAKE && cons[x] != limit[x] -> item[x] = slot; stage[x] = COPIED } \
  :: d_step { stage[x] == TAKE && cons[x] == limit[x] -> stage[x] = (MUST_ANSWER(x) -> FILL : LOOK) } \
  :: d_step { stage[x] == ASK -> wanted[x] = NEXT(cons[x]); event_cell[x] = wanted[x]; stage[x] = ASKED } \
  :: d_step { stage[x] == ASKED -> stage[x] = AGAIN } \
  :: d_step { stage[x] == AGAIN -> found = prod_cell[1 - x]; \
       stage[x] = (ILL(x) -> BROKEN : (found == cons[x] -> ASLEEP : LOOK)) }

#define ACCEPT(x) \
  written[1 - x] = NOTHING; answers[r] = 0; cons[x] = NEXT(cons[x]); item[x] = NOTHING; stage[x] = TAKE

#define ANSWER(n) \
  :: d_step { stage[BACK] == FILL && ROOM_BACK != 0 && held[n] -> held[n] = false; answers[n]++; \
       slot = 2 * n + 1; written[BACK] = slot; prod[BACK] = NEXT(prod[BACK]) }

active proctype ring() {
  do
  STEPS(FRONT)
  STEPS(BACK)
  :: d_step { stage[FRONT] == ASLEEP && ROOM_FRONT != 0 -> stage[FRONT] = FILL }
  :: d_step { stage[FRONT] == FILL && ROOM_FRONT != 0 ->
       r = prod[FRONT] & 1;
       if :: sent[r] -> r = 1 - r :: else fi;
       assert(!sent[r]);
       sent[r] = true; slot = 2 * r; written[FRONT] = slot; prod[FRONT] = NEXT(prod[FRONT]) }
  ANSWER(0)
  ANSWER(1)
  :: d_step { stage[FRONT] == COPIED -> r = item[FRONT] / 2;
       if
       :: (item[FRONT] & 1) && sent[r] -> sent[r] = false; ACCEPT(FRONT)
       :: else -> stage[FRONT] = BROKEN
       fi }
  :: d_step { stage[BACK] == COPIED -> r = item[BACK] / 2;
       if
       :: !(item[BACK] & 1) && !held[r] -> held[r] = true; ACCEPT(BACK)
       :: else -> stage[BACK] = BROKEN
       fi }
  od
}
