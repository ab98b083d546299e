/* A picture from a sentence, in C.
 *
 *   01_generate "a smiling cat with sunglasses" cat.png [MODEL]
 */
#include <stdio.h>

#include "api/thimble.h"

static int show_progress(int done, int total, void* user) {
  (void)user;
  fprintf(stderr, "\rstep %d of %d", done, total);
  if (done == total) fprintf(stderr, "\n");
  return 0; /* nonzero would stop */
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s PROMPT FILE.png [MODEL]\n", argv[0]);
    return 2;
  }
  thimble_model* model = NULL;
  thimble_image* image = NULL;
  thimble_generate_options options = THIMBLE_GENERATE_OPTIONS_INIT;
  options.seed = 7;
  options.progress = show_progress;

  int ok = thimble_open(argc > 3 ? argv[3] : NULL, NULL, &model) == THIMBLE_OK &&
           thimble_generate(model, argv[1], &options, &image) == THIMBLE_OK &&
           thimble_image_save(image, argv[2]) == THIMBLE_OK;
  if (ok) {
    printf("%s: %d x %d pixels by the model %s\n", argv[2], thimble_image_width(image), thimble_image_height(image),
           thimble_model_name(model));
  } else {
    fprintf(stderr, "error: %s\n", thimble_last_error());
  }
  thimble_image_free(image);
  thimble_close(model);
  return ok ? 0 : 2;
}
