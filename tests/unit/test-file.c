#include "base/file.h"
#include "base/folder.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Scratch {
        char path[64];
        int fd;
} Scratch;

static int make_scratch(void **state)
{
        static Scratch scratch;

        (void)snprintf(scratch.path, sizeof(scratch.path), "/tmp/flocker-test.XXXXXX");
        if (!mkdtemp(scratch.path))
                return -1;
        scratch.fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = &scratch;
        return scratch.fd < 0;
}

static int remove_scratch(void **state)
{
        Scratch *scratch = *state;

        close(scratch->fd);
        return folder_remove(AT_FDCWD, scratch->path, NULL);
}

static void holds(int fd, const char *path, const char *content)
{
        _cleanup_(buffer_done) Buffer found = BUFFER_INIT(1000);
        Error error = ERROR_INIT;

        if (file_read(fd, path, 999, &found, &error) < 0)
                fail_msg("%s", error.text);
        assert_string_equal(buffer_text(&found), content);
}

static int count_entry(int fd, const char *name, void *userdata, Error *ret_error)
{
        (void)fd;
        (void)name;
        (void)ret_error;
        (*(int *)userdata)++;
        return 0;
}

static int count_entries(int fd, const char *path)
{
        int count = 0;

        assert_int_equal(folder_list(fd, path, 100, count_entry, &count, NULL), 0);
        return count;
}

static void a_file_is_replaced_with_its_mode(void **state)
{
        const Scratch *scratch = *state;
        struct stat status;
        mode_t before = umask(077);

        assert_int_equal(file_write_atomic(scratch->fd, "a", "one", 3, 0600, NULL), 0);
        assert_int_equal(file_write_atomic(scratch->fd, "a", "second", 6, 0644, NULL), 0);
        (void)umask(before);
        holds(scratch->fd, "a", "second");
        assert_int_equal(fstatat(scratch->fd, "a", &status, 0), 0);
        assert_int_equal(status.st_mode & 07777, 0644);
        assert_int_equal(count_entries(scratch->fd, "."), 1);
}

static void a_key_is_never_overwritten(void **state)
{
        const Scratch *scratch = *state;
        Error error = ERROR_INIT;

        assert_int_equal(file_create_exclusive(scratch->fd, "key", "mine", 4, 0600, NULL), 0);
        assert_int_equal(
                file_create_exclusive(scratch->fd, "key", "other", 5, 0600, &error), -EEXIST);
        assert_string_equal(error.text, "cannot put 'key' in place: File exists");
        holds(scratch->fd, "key", "mine");
        assert_int_equal(count_entries(scratch->fd, "."), 1);
}

static void the_same_bytes_are_not_written_again(void **state)
{
        const Scratch *scratch = *state;
        bool changed;

        assert_int_equal(file_write_if_changed(scratch->fd, "a", "x", 1, 0600, &changed, NULL), 0);
        assert_true(changed);
        assert_int_equal(file_write_if_changed(scratch->fd, "a", "x", 1, 0600, &changed, NULL), 0);
        assert_false(changed);
        assert_int_equal(file_write_if_changed(scratch->fd, "a", "x", 1, 0644, &changed, NULL), 0);
        assert_true(changed);
        assert_int_equal(file_write_if_changed(scratch->fd, "a", "y", 1, 0644, &changed, NULL), 0);
        assert_true(changed);
        holds(scratch->fd, "a", "y");
}

static void a_link_is_replaced_and_not_followed(void **state)
{
        const Scratch *scratch = *state;

        assert_int_equal(file_write_atomic(scratch->fd, "target", "old", 3, 0600, NULL), 0);
        assert_int_equal(symlinkat("target", scratch->fd, "link"), 0);
        assert_int_equal(file_write_atomic(scratch->fd, "link", "new", 3, 0600, NULL), 0);
        holds(scratch->fd, "target", "old");
        holds(scratch->fd, "link", "new");
}

static void hostile_files_are_named(void **state)
{
        const Scratch *scratch = *state;
        _cleanup_(buffer_done) Buffer buffer = BUFFER_INIT(1000);
        Error error = ERROR_INIT;

        assert_int_equal(file_read(scratch->fd, "absent", 10, &buffer, &error), -ENOENT);
        assert_string_equal(error.text, "cannot open 'absent': No such file or directory");
        assert_int_equal(mkfifoat(scratch->fd, "fifo", 0600), 0);
        assert_int_equal(file_read(scratch->fd, "fifo", 10, &buffer, &error), -EINVAL);
        assert_says(&error, "expected a regular file");
        assert_int_equal(file_read(scratch->fd, ".", 10, &buffer, &error), -EISDIR);
        assert_int_equal(file_write_atomic(scratch->fd, "big", "0123456789A", 11, 0600, NULL), 0);
        assert_int_equal(file_read(scratch->fd, "big", 10, &buffer, &error), -EFBIG);
        assert_says(&error, "it has more than 10 bytes");
        assert_int_equal(file_write_atomic(scratch->fd, "no/such", "x", 1, 0600, &error), -ENOENT);
        assert_int_equal(file_write_atomic(scratch->fd, "..", "x", 1, 0600, &error), -EINVAL);
}

static void a_lock_holds_one(void **state)
{
        const Scratch *scratch = *state;
        _cleanup_(close) int first = -1, second = -1;
        Error error = ERROR_INIT;

        assert_int_equal(file_lock(scratch->fd, "lock", 0, &first, NULL), 0);
        assert_int_equal(file_lock(scratch->fd, "lock", 0, &second, &error), -EBUSY);
        assert_string_equal(error.text, "cannot lock 'lock': another process holds it");
        close(first);
        first = -1;
        assert_int_equal(file_lock(scratch->fd, "lock", 0, &second, NULL), 0);
}

static void fill(FolderReplacement *replacement, const char *content)
{
        assert_int_equal(folder_make(replacement->staging_fd, "sub/deep", 0700, NULL), 0);
        assert_int_equal(file_create(replacement->staging_fd,
                                 "sub/deep/a",
                                 content,
                                 strlen(content),
                                 0600,
                                 NULL),
                0);
}

static void a_folder_is_replaced_as_a_whole(void **state)
{
        const Scratch *scratch = *state;
        _cleanup_(folder_replacement_done) FolderReplacement first = FOLDER_REPLACEMENT_INIT;
        _cleanup_(folder_replacement_done) FolderReplacement second = FOLDER_REPLACEMENT_INIT;
        _cleanup_(folder_replacement_done) FolderReplacement third = FOLDER_REPLACEMENT_INIT;

        assert_int_equal(folder_replacement_begin(scratch->fd, "etc", &first, NULL), 0);
        fill(&first, "one");
        assert_int_equal(folder_replacement_commit(&first, "etc.backup", NULL), 0);
        holds(scratch->fd, "etc/sub/deep/a", "one");

        assert_int_equal(folder_replacement_begin(scratch->fd, "etc", &second, NULL), 0);
        fill(&second, "two");
        assert_int_equal(folder_replacement_commit(&second, "etc.backup", NULL), 0);
        holds(scratch->fd, "etc/sub/deep/a", "two");
        holds(scratch->fd, "etc.backup/sub/deep/a", "one");

        assert_int_equal(folder_replacement_begin(scratch->fd, "etc", &third, NULL), 0);
        fill(&third, "three");
        assert_int_equal(folder_replacement_commit(&third, NULL, NULL), 0);
        holds(scratch->fd, "etc/sub/deep/a", "three");
        assert_int_equal(count_entries(scratch->fd, "."), 2);
}

static void what_is_kept_is_never_overwritten(void **state)
{
        const Scratch *scratch = *state;
        _cleanup_(folder_replacement_done) FolderReplacement replacement = FOLDER_REPLACEMENT_INIT;
        Error error = ERROR_INIT;

        assert_int_equal(folder_make(scratch->fd, "etc", 0755, NULL), 0);
        assert_int_equal(file_create(scratch->fd, "etc.backup", "mine", 4, 0600, NULL), 0);
        assert_int_equal(folder_replacement_begin(scratch->fd, "etc", &replacement, NULL), 0);
        fill(&replacement, "never");
        assert_int_equal(folder_replacement_commit(&replacement, "etc.backup", &error), -EEXIST);
        assert_string_equal(error.text, "cannot keep the old 'etc' as 'etc.backup': File exists");
        folder_replacement_done(&replacement);
        holds(scratch->fd, "etc.backup", "mine");
        assert_int_equal(count_entries(scratch->fd, "etc"), 0);
        assert_int_equal(count_entries(scratch->fd, "."), 2);
}

static void only_stale_temporaries_of_the_same_file_go(void **state)
{
        static const char *const stay[] = {".a.0123456789abcdef",
                ".a.0123456789abcdeg~",
                ".b.0123456789abcdef~",
                ".a.0123456789abcdef0~",
                "a.0123456789abcdef~"};
        static const char stale[] = ".a.0123456789abcdef~", young[] = ".a.fedcba9876543210~";
        static const struct timespec long_ago[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
        const Scratch *scratch = *state;

        for (size_t i = 0; i < ELEMENTS(stay); i++) {
                assert_int_equal(file_create(scratch->fd, stay[i], "", 0, 0600, NULL), 0);
                assert_int_equal(utimensat(scratch->fd, stay[i], long_ago, 0), 0);
        }
        assert_int_equal(file_create(scratch->fd, stale, "key", 3, 0600, NULL), 0);
        assert_int_equal(utimensat(scratch->fd, stale, long_ago, 0), 0);
        assert_int_equal(file_create(scratch->fd, young, "key", 3, 0600, NULL), 0);

        assert_int_equal(file_write_atomic(scratch->fd, "a", "x", 1, 0600, NULL), 0);
        assert_int_equal(faccessat(scratch->fd, stale, F_OK, 0), -1);
        holds(scratch->fd, young, "key");
        assert_int_equal(count_entries(scratch->fd, "."), ELEMENTS(stay) + 2);
}

static void without_a_commit_nothing_changes(void **state)
{
        const Scratch *scratch = *state;
        FolderReplacement replacement = FOLDER_REPLACEMENT_INIT;

        assert_int_equal(folder_make(scratch->fd, "etc", 0755, NULL), 0);
        assert_int_equal(folder_replacement_begin(scratch->fd, "etc", &replacement, NULL), 0);
        fill(&replacement, "never");
        folder_replacement_done(&replacement);
        assert_int_equal(count_entries(scratch->fd, "."), 1);
        assert_int_equal(count_entries(scratch->fd, "etc"), 0);
}

static void a_tree_is_removed_and_links_are_not_followed(void **state)
{
        const Scratch *scratch = *state;

        assert_int_equal(folder_make(scratch->fd, "keep", 0700, NULL), 0);
        assert_int_equal(file_write_atomic(scratch->fd, "keep/me", "x", 1, 0600, NULL), 0);
        assert_int_equal(folder_make(scratch->fd, "gone/a/b", 0700, NULL), 0);
        assert_int_equal(symlinkat("../keep", scratch->fd, "gone/link"), 0);
        assert_int_equal(folder_remove(scratch->fd, "gone", NULL), 0);
        assert_int_equal(folder_remove(scratch->fd, "gone", NULL), 0);
        holds(scratch->fd, "keep/me", "x");
        assert_int_equal(count_entries(scratch->fd, "."), 1);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

TESTS_MAIN(IN_SCRATCH(a_file_is_replaced_with_its_mode),
        IN_SCRATCH(a_key_is_never_overwritten),
        IN_SCRATCH(the_same_bytes_are_not_written_again),
        IN_SCRATCH(a_link_is_replaced_and_not_followed),
        IN_SCRATCH(hostile_files_are_named),
        IN_SCRATCH(a_lock_holds_one),
        IN_SCRATCH(a_folder_is_replaced_as_a_whole),
        IN_SCRATCH(what_is_kept_is_never_overwritten),
        IN_SCRATCH(only_stale_temporaries_of_the_same_file_go),
        IN_SCRATCH(without_a_commit_nothing_changes),
        IN_SCRATCH(a_tree_is_removed_and_links_are_not_followed))
