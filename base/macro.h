/* The few words that the whole house uses: scope-bound cleanup, hand-over, and attributes. */

#pragma once

#include <stddef.h>
#include <stdint.h>

#define _cleanup_(function)   __attribute__((cleanup(function##_p)))
#define _printf_(text, first) __attribute__((format(printf, text, first)))

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* TAKE_PTR(p) gives p's value away and leaves NULL in its place, so that p's cleanup has nothing
 * left to do; TAKE_FD(fd) does the same and leaves -1. */
#define TAKE_PTR(pointer)                                 \
        ({                                                \
                __typeof__(pointer) *_place = &(pointer); \
                __typeof__(pointer) _taken = *_place;     \
                *_place = NULL;                           \
                _taken;                                   \
        })
#define TAKE_FD(fd)                   \
        ({                            \
                int *_place = &(fd);  \
                int _taken = *_place; \
                *_place = -1;         \
                _taken;               \
        })

/* The same for a struct that lives in place: its value, and all zero is left. */
#define TAKE_STRUCT(place)                           \
        ({                                           \
                __typeof__(place) *_from = &(place); \
                __typeof__(place) _taken = *_from;   \
                *_from = (__typeof__(place)){};      \
                _taken;                              \
        })

/* Makes the function that _cleanup_(function) calls, out of one that frees what a pointer of the
 * given type points to: DEFINE_CLEANUP(Json *, json_free) serves `_cleanup_(json_free) Json *j`. */
#define DEFINE_CLEANUP(type, function)               \
        static inline void function##_p(type *place) \
        {                                            \
                if (*place)                          \
                        function(*place);            \
        }                                            \
        struct _require_semicolon_

/* The same for a struct that lives in place and is ended by its address:
 * DEFINE_CLEANUP_IN_PLACE(Buffer, buffer_done) serves `_cleanup_(buffer_done) Buffer b = …`. */
#define DEFINE_CLEANUP_IN_PLACE(type, function)      \
        static inline void function##_p(type *place) \
        {                                            \
                function(place);                     \
        }                                            \
        struct _require_semicolon_

/* _cleanup_(free) and _cleanup_(close): for plain memory and file descriptors (-1: none). close_p()
 * leaves -1. */
void free_p(void *place);
void close_p(int *fd);
