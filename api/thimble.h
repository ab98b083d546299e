/* Thimble's C interface: open a model file, make pictures from text, free.
 *
 *   thimble_model* model = NULL;
 *   thimble_image* image = NULL;
 *   if (thimble_open("thimble-emoji.safetensors", NULL, &model) != THIMBLE_OK ||
 *       thimble_generate(model, "a smiling cat", NULL, &image) != THIMBLE_OK ||
 *       thimble_image_save(image, "cat.png") != THIMBLE_OK) {
 *     fprintf(stderr, "%s\n", thimble_last_error());
 *   }
 *   thimble_image_free(image);
 *   thimble_close(model);
 *
 * Stable: functions keep their meaning, option structs only grow at the end and say their size, so that a program
 * built against an older header runs with a newer library. Every function that can fail returns a status; the message
 * is thimble_last_error(). A model serves one thread at a time; several models may be used at once. */
#ifndef THIMBLE_API_THIMBLE_H_
#define THIMBLE_API_THIMBLE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define THIMBLE_API_VERSION 1

typedef enum thimble_status {
  THIMBLE_OK = 0,
  THIMBLE_BAD_INPUT = 1,   /* an argument: prompt, option, null pointer */
  THIMBLE_BAD_FILE = 2,    /* the model file is damaged or of another kind */
  THIMBLE_UNSUPPORTED = 3, /* understood, and not possible here */
  THIMBLE_IO = 4,          /* missing file, no permission, full disk */
  THIMBLE_CANCELLED = 5,   /* the progress function asked to stop */
  THIMBLE_INTERNAL = 6     /* a mistake of the library, or no memory */
} thimble_status;

typedef struct thimble_model thimble_model; /* an opened model with its plans */
typedef struct thimble_image thimble_image; /* 8 bits a channel, straight alpha, rows from the top */

/* Of the library, not of the header: "0.1.0", and the THIMBLE_API_VERSION it was built with. */
const char* thimble_version(void);
int thimble_api_version(void);

/* One line on the last failure in this thread; "" when there was none. Valid until the thread's next call. */
const char* thimble_last_error(void);

typedef struct thimble_open_options {
  size_t size;     /* sizeof(thimble_open_options) */
  int threads;     /* 0: one for each usable processor */
  const char* isa; /* NULL: the best of this machine; "scalar", "avx2", "avx512", "avx512_bf16", "amx", "neon" ... */
  const char* precision; /* NULL: what suits the machine; "f32" or "bf16" */
} thimble_open_options;
#define THIMBLE_OPEN_OPTIONS_INIT \
  { sizeof(thimble_open_options), 0, NULL, NULL }

/* `path` NULL: the default model ($THIMBLE_MODEL, else where Thimble is installed). `options` may be NULL.
 * On failure *model is NULL. */
thimble_status thimble_open(const char* path, const thimble_open_options* options, thimble_model** model);
void thimble_close(thimble_model* model); /* NULL is allowed */

/* Valid as long as the model. */
const char* thimble_model_name(const thimble_model* model);
const char* thimble_model_licence(const thimble_model* model);
int thimble_model_image_size(const thimble_model* model); /* pixels per side */

/* Called after each step; return nonzero to stop, which makes thimble_generate return THIMBLE_CANCELLED. */
typedef int (*thimble_progress_fn)(int done, int total, void* user);

typedef struct thimble_generate_options {
  size_t size;                  /* sizeof(thimble_generate_options) */
  uint64_t seed;                /* the same seed gives the same picture */
  int steps;                    /* 0: the model's own number */
  double guidance;              /* how strictly the text is followed, 1: no guidance; below 0: the model's own */
  const char* sampler;          /* NULL: the model's own; "euler", "heun", "dpmpp" ... */
  thimble_progress_fn progress; /* may be NULL */
  void* user;                   /* handed to progress */
} thimble_generate_options;
#define THIMBLE_GENERATE_OPTIONS_INIT \
  { sizeof(thimble_generate_options), 0, 0, -1.0, NULL, NULL, NULL }

/* `prompt` is UTF-8, not empty. `options` may be NULL. On failure *image is NULL. */
thimble_status thimble_generate(thimble_model* model, const char* prompt, const thimble_generate_options* options,
                                thimble_image** image);

int thimble_image_width(const thimble_image* image);
int thimble_image_height(const thimble_image* image);
int thimble_image_channels(const thimble_image* image);          /* 3 RGB, 4 RGBA */
const uint8_t* thimble_image_pixels(const thimble_image* image); /* height * width * channels bytes */
/* By extension: .png, .webp, .jpg. Written whole or not at all. */
thimble_status thimble_image_save(const thimble_image* image, const char* path);
void thimble_image_free(thimble_image* image); /* NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif /* THIMBLE_API_THIMBLE_H_ */
