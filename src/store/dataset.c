#include "store/dataset.h"

#include "base/mem.h"
#include "store/reclaim.h"

struct dataset *dataset_new(unsigned databases)
{
    struct dataset *data = mem_alloc(sizeof *data);

    data->count = databases;
    data->limits = value_limits_default;
    data->db = mem_alloc(databases * sizeof *data->db);
    for (unsigned i = 0; i < databases; i++) {
        data->db[i] = keyspace_new(&data->limits);
    }
    for (unsigned i = 0; i < TEXT_KIND_END; i++) {
        data->texts[i] = texts_new();
    }
    return data;
}

void dataset_free(struct dataset *data)
{
    if (data == NULL) {
        return;
    }
    for (unsigned i = 0; i < data->count; i++) {
        keyspace_free(data->db[i]);
    }
    for (unsigned i = 0; i < TEXT_KIND_END; i++) {
        texts_free(data->texts[i]);
    }
    mem_free(data->db);
    mem_free(data);
    reclaim_all();
}

size_t dataset_count(const struct dataset *data)
{
    size_t count = 0;

    for (unsigned i = 0; i < data->count; i++) {
        count += keyspace_count(data->db[i]);
    }
    return count;
}

struct digest dataset_digest(const struct dataset *data)
{
    struct digest sum = {{0}};

    for (unsigned i = 0; i < data->count; i++) {
        if (keyspace_count(data->db[i]) > 0) {
            digest_add(&sum, digest_keyspace(data->db[i]), i + 1);
        }
    }
    for (unsigned i = 0; i < TEXT_KIND_END; i++) {
        if (texts_count(data->texts[i]) > 0) {
            digest_add(&sum, texts_digest(data->texts[i]), UINT32_MAX + UINT64_C(1) + i);
        }
    }
    return sum;
}

void dataset_check(const struct dataset *data)
{
    for (unsigned i = 0; i < data->count; i++) {
        keyspace_check(data->db[i]);
    }
}
