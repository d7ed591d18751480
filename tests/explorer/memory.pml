/* The explorer's scope "flat", written for Spin: one domain with two frames, tables of level 1 with one slot,
 * calls that run to their end: pin, unpin, and mmu_update of either frame's word. A transition is one call, a
 * refused one as well. What xenmodel keeps and these calls never change is left out; what an entry that is
 * linked no more has left behind is zeroed, as in the explorer's canonical form.
 */

#define NONE 0
#define L1 1
#define WRITABLE 7
#define ENTRY(to, rw) (1 + 2 * to + rw)     /* a word: 0 is absent, else the frame and the right to write */

byte type[2], count[2], word[2], target[2];
byte ref[2] = 1;                         /* the allocation's */
bool valid[2], pinned[2], linked[2], writable[2];
bool global[2];                          /* Xen marks a word so when it becomes a table's entry; it stays */
hidden byte named, right, ok;

/* Take what an entry with this word needs; refused where the frame is in use as something else. */
inline take(new) {
  named = (new - 1) / 2; right = (new - 1) & 1; ok = true;
  if
  :: right && count[named] == 0 -> type[named] = WRITABLE; valid[named] = true; count[named] = 1
  :: right && count[named] != 0 && type[named] == WRITABLE -> count[named]++
  :: right && count[named] != 0 && type[named] != WRITABLE -> ok = false
  :: !right -> skip
  fi;
  if :: ok -> ref[named]++ :: else fi
}

inline link(f) { linked[f] = true; target[f] = named; writable[f] = right; global[f] = true }

/* Drop what the entry of a table holds. */
inline drop(f) {
  if
  :: linked[f] ->
     ref[target[f]]--;
     if :: writable[f] -> count[target[f]]-- :: else fi;
     linked[f] = false; target[f] = 0; writable[f] = false
  :: else
  fi
}

inline pin(f) {
  if
  :: count[f] != 0 -> skip               /* in use as memory, or pinned already */
  :: count[f] == 0 ->
     type[f] = L1; count[f] = 1; valid[f] = false;
     if :: word[f] == 0 -> ok = true :: else -> take(word[f]); if :: ok -> link(f) :: else fi fi;
     if
     :: ok -> valid[f] = true; pinned[f] = true; ref[f]++
     :: else -> type[f] = NONE; count[f] = 0
     fi
  fi
}

inline unpin(f) {
  if
  :: pinned[f] -> pinned[f] = false; valid[f] = false; drop(f); count[f] = 0; ref[f]--
  :: else
  fi
}

inline update(f, new) {
  if
  :: count[f] != 0 && type[f] == WRITABLE -> word[f] = new; global[f] = false
  :: count[f] == 0 -> type[f] = WRITABLE; valid[f] = true; word[f] = new; global[f] = false
  :: count[f] != 0 && type[f] == L1 ->
     if
     :: new == 0 -> drop(f); word[f] = 0; global[f] = false
     :: new != 0 && new == word[f] -> skip
     :: new != 0 && new != word[f] ->
        take(new);
        if
        :: ok ->                         /* the new reference first, then the old one goes */
           drop(f); link(f); word[f] = new
        :: else
        fi
     fi
  fi
}


#define UPDATES(f) \
  :: d_step { update(f, 0) } \
  :: d_step { update(f, ENTRY(0, 0)) } \
  :: d_step { update(f, ENTRY(0, 1)) } \
  :: d_step { update(f, ENTRY(1, 0)) } \
  :: d_step { update(f, ENTRY(1, 1)) }

active proctype guest() {
  do
  :: d_step { pin(0) }
  :: d_step { unpin(0) }
  :: d_step { pin(1) }
  :: d_step { unpin(1) }
  UPDATES(0)
  UPDATES(1)
  od
}
