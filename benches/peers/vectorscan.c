// Vectorscan on the files of benches/match/outside.rs: prints SECONDS MATCHES.
// Words are parted by spaces alone in these posts, so that a term stands between spaces or ends of the text.
#include <hs/hs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *directory;
static hs_database_t *database;
static char **terms, **posts;
static size_t *lengths, term_count, post_count;
// The uses of term n are from use_starts[n] on: pairs of a query and a group.
static unsigned *use_starts, *use_queries, *use_groups, *wanted;
static size_t query_count;

struct seen {
    const char *post;
    size_t length;
    unsigned stamp, *terms, *queries, *masks, *touched;
    size_t touched_count, matches;
};

static char *read_file(const char *name, size_t *count, char ***lines) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = malloc(size + 1);
    if (fread(text, 1, size, file) != (size_t)size) exit(1);
    text[size] = 0;
    *count = 0;
    size_t room = 1;
    for (long at = 0; at < size; at++) room += text[at] == '\n';
    *lines = malloc(room * sizeof(char *));
    for (char *line = text; line && *line;) {
        (*lines)[(*count)++] = line;
        line = strchr(line, '\n');
        if (line) *line++ = 0;
    }
    return text;
}

static int found(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
    (void)from, (void)flags;
    struct seen *seen = context;
    size_t start = to - lengths[id];
    if (seen->terms[id] == seen->stamp) return 0;
    if ((start > 0 && seen->post[start - 1] != ' ') || (to < seen->length && seen->post[to] != ' ')) return 0;
    seen->terms[id] = seen->stamp;
    for (unsigned at = use_starts[id]; at < use_starts[id + 1]; at++) {
        unsigned query = use_queries[at];
        if (seen->queries[query] != seen->stamp) {
            seen->queries[query] = seen->stamp;
            seen->masks[query] = 0;
            seen->touched[seen->touched_count++] = query;
        }
        seen->masks[query] |= 1u << use_groups[at];
    }
    return 0;
}

struct part { size_t first, last, matches; };

static void *scan(void *argument) {
    struct part *part = argument;
    hs_scratch_t *scratch = NULL;
    if (hs_alloc_scratch(database, &scratch) != HS_SUCCESS) exit(1);
    struct seen seen = {.stamp = 0,
                        .terms = calloc(term_count, sizeof(unsigned)),
                        .queries = calloc(query_count, sizeof(unsigned)),
                        .masks = calloc(query_count, sizeof(unsigned)),
                        .touched = calloc(query_count, sizeof(unsigned))};
    for (size_t at = part->first; at < part->last; at++) {
        seen.post = posts[at];
        seen.length = strlen(posts[at]);
        seen.stamp++;
        seen.touched_count = 0;
        if (hs_scan(database, seen.post, seen.length, 0, scratch, found, &seen) != HS_SUCCESS) exit(1);
        for (size_t nth = 0; nth < seen.touched_count; nth++)
            seen.matches += seen.masks[seen.touched[nth]] == wanted[seen.touched[nth]];
    }
    part->matches = seen.matches;
    return NULL;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    directory = arguments[1];
    int threads = atoi(arguments[2]);
    char **lines;
    size_t lines_count;
    read_file("terms.txt", &term_count, &terms);
    read_file("posts.txt", &post_count, &posts);
    read_file("wanted.txt", &query_count, &lines);
    wanted = malloc(query_count * sizeof(unsigned));
    for (size_t at = 0; at < query_count; at++) wanted[at] = atoi(lines[at]);
    char *text = read_file("uses.txt", &lines_count, &lines);
    size_t uses = 0;
    (void)text;
    for (size_t at = 0; at < lines_count; at++)
        for (char *next = lines[at]; *next; next++) uses += *next == ':';
    use_starts = malloc((term_count + 1) * sizeof(unsigned));
    use_queries = malloc(uses * sizeof(unsigned));
    use_groups = malloc(uses * sizeof(unsigned));
    uses = 0;
    for (size_t at = 0; at < lines_count; at++) {
        use_starts[at] = uses;
        for (char *next = lines[at]; *next;) {
            use_queries[uses] = strtoul(next, &next, 10);
            use_groups[uses++] = strtoul(next + 1, &next, 10);
            while (*next == ' ') next++;
        }
    }
    use_starts[term_count] = uses;
    lengths = malloc(term_count * sizeof(size_t));
    unsigned *ids = malloc(term_count * sizeof(unsigned)), *flags = calloc(term_count, sizeof(unsigned));
    for (size_t at = 0; at < term_count; at++) lengths[at] = strlen(terms[at]), ids[at] = at;
    hs_compile_error_t *error;
    if (hs_compile_lit_multi((const char *const *)terms, flags, ids, lengths, term_count, HS_MODE_BLOCK, NULL, &database,
                             &error) != HS_SUCCESS) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    double best = 1e9;
    size_t matches = 0;
    for (int round = 0; round < 3; round++) {
        struct part parts[64];
        pthread_t ids_of[64];
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int nth = 0; nth < threads; nth++) {
            parts[nth] = (struct part){post_count * nth / threads, post_count * (nth + 1) / threads, 0};
            pthread_create(&ids_of[nth], NULL, scan, &parts[nth]);
        }
        matches = 0;
        for (int nth = 0; nth < threads; nth++) pthread_join(ids_of[nth], NULL), matches += parts[nth].matches;
        clock_gettime(CLOCK_MONOTONIC, &to);
        double taken = to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9;
        if (taken < best) best = taken;
    }
    printf("%f %zu\n", best, matches);
    return 0;
}
