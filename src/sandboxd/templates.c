/* SPDX-License-Identifier: MIT */
#include "templates.h"

#include "util/xalloc.h"

#include <ctype.h>
#include <string.h>

static const struct template templates[] = {
    { "rki5dems9wqfm4r03t7g", "base", 2, 512, 2048 },
    { "nlhz8vlwyupq845jsdg9", "code-interpreter-v1", 2, 1024, 4096 },
    { "k0wmnzir0zuzye6dndlw", "desktop", 4, 2048, 8192 },
};

const struct template *template_find(const char *reference)
{
    autofree char *name = xstrdup(reference + strspn(reference, " \t"));
    char *slash;

    name[strcspn(name, ": \t")] = '\0';
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    slash = strchr(name, '/');
    for (size_t i = 0; i < ARRAY_LEN(templates); i++)
        if (strcmp(templates[i].id, name) == 0 ||
            strcmp(templates[i].alias, slash ? slash + 1 : name) == 0)
            return &templates[i];
    return NULL;
}
