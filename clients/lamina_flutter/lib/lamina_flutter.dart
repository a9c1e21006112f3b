/// Widgets for the layers of a lamina job.
library;

export 'src/lamina_controller.dart';
export 'src/layer_image.dart';
export 'src/layer_stack.dart';
export 'src/stack_painter.dart';
