-- Presets for everyone: owned by the system user, changed by nobody. The keys "aspect" and
-- "size" of parameters are lifted into the job's shape, the rest goes to the model.

SET LOCAL ROLE studio_ledger; -- row security holds for the owner of the table, too

INSERT INTO image_presets (user_id, is_system, preset_key, name, use_case, model_key, batch_count,
                           parameters, prompt_template, negative_prompt)
SELECT 1, true, key, name, use_case, model, batch, parameters::jsonb, template, negative
FROM (VALUES
('poster', 'Poster', 'poster', '', 2, '{"aspect": "2:3"}',
 'Poster of {prompt}: one strong motif seen from afar, bold flat shapes, three or four colours, wide empty space at the top for a title',
 'lettering, watermark, frame, clutter'),
('product-shot', 'Product shot', 'product', '', 4, '{"aspect": "1:1"}',
 'Studio product photograph of {prompt}, centred on a seamless light background, soft key light from the left, gentle contact shadow, everything in focus',
 'people, hands, lettering, watermark, reflections of the studio, harsh shadows'),
('social-square', 'Social square', 'social', '', 4, '{"aspect": "1:1"}',
 '{prompt}, a single clear subject filling the middle of a square, high contrast, readable at the size of a thumbnail',
 'lettering, watermark, border, small details'),
('wallpaper', 'Desktop wallpaper', 'wallpaper', '', 2, '{"aspect": "16:9"}',
 'Wide calm wallpaper of {prompt}, the subject in the right third, quiet tones and little detail on the left where icons lie',
 'lettering, watermark, border, people looking at the camera'),
('phone-wallpaper', 'Phone wallpaper', 'wallpaper', '', 2, '{"aspect": "9:16"}',
 'Tall wallpaper of {prompt}, the subject in the lower half, a plain upper third for the clock',
 'lettering, watermark, border, busy background'),
('app-icon', 'App icon', 'icon', '', 4, '{"aspect": "1:1"}',
 'App icon of {prompt}: one simple symbol in the middle, thick shapes, two colours and a soft gradient, plain background to the edges',
 'lettering, thin lines, photograph, texture, several objects, rounded frame'),
('storyboard', 'Storyboard frame', 'storyboard', '', 4, '{"aspect": "16:9"}',
 'Storyboard frame: {prompt}. Loose grey marker drawing, clear staging of foreground, middle and background, cinematic framing',
 'colour, lettering, speech bubbles, arrows, several panels'),
('portrait', 'Portrait', 'portrait', '', 2, '{"aspect": "3:4"}',
 'Portrait of {prompt}, head and shoulders, 85 mm look with a shallow depth of field, soft window light, natural skin, calm plain background',
 'distorted hands, extra fingers, heavy make-up, lettering, watermark'),
('book-cover', 'Book cover', 'cover', '', 3, '{"aspect": "2:3"}',
 'Book cover illustration of {prompt}: a strong silhouette, one mood, a restrained palette, a calm upper third for title and author',
 'lettering, watermark, frame, mock-up of a book'),
('concept-art', 'Concept art', 'concept', '', 4, '{"aspect": "16:9"}',
 'Concept art of {prompt}, wide establishing view, a small figure for scale, layers of atmosphere into the distance, painterly brush strokes',
 'lettering, watermark, border, blurred foreground'),
('ink-illustration', 'Ink illustration', 'illustration', 'sketch-ink', 2, '{"aspect": "3:4"}',
 'Ink drawing of {prompt}, confident outlines, hatching for the shadows, white paper left open',
 'colour, grey wash, lettering, frame'),
('mosaic-tile', 'Mosaic tile', 'pattern', 'sketch-mosaic', 2, '{"aspect": "1:1"}',
 'Mosaic of {prompt}, a few saturated colours, clear shapes that read from across a room',
 'lettering, photograph, gradients, fine lines')
) AS presets (key, name, use_case, model, batch, parameters, template, negative);

RESET ROLE;
