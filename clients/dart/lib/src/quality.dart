import 'layer.dart';
import 'reading.dart';

/// How well a job's layers give the picture back that the engine was given, and what is odd about them. Errors
/// are of 0 to 255, of a pixel the largest of its channels', alpha included.
final class StackQuality {
  /// Reads the server's [json].
  StackQuality.fromJson(Map<String, Object?> json)
    : meanError = json.need('mean_error'),
      p99Error = json.need('p99_error'),
      psnrDb = json.opt('psnr_db'),
      worstTile = WorstTile.fromJson(json.need('worst_tile')),
      uncovered = json.need('uncovered'),
      orderConfidence = json.need('order_confidence'),
      betterOrder = switch (json.opt<List<Object?>>('better_order')) {
        null => null,
        final orders => List.unmodifiable(orders.whereType<num>().map((order) => order.toInt())),
      },
      duplicates = List.unmodifiable([
        for (final pair in json.need<List<Object?>>('duplicates')) DuplicateLayers.fromJson(asObject(pair)),
      ]),
      layers = List.unmodifiable([
        for (final layer in json.need<List<Object?>>('layers')) LayerQuality.fromJson(asObject(layer)),
      ]),
      secondTry = switch (json.opt<String>('second_try')) {
        null => null,
        final word => SecondTry(word),
      };

  /// Mean error of the layers, drawn over each other.
  final double meanError;

  /// No more than a hundredth of the pixels has a larger error.
  final int p99Error;

  /// Of the colours, in decibels; null where they are the very same.
  final double? psnrDb;

  /// Where the mean error is largest.
  final WorstTile worstTile;

  /// Share of the picture that no layer covers, 0.0 to 1.0.
  final double uncovered;

  /// 1.0 where no order of the layers that was tried gives the picture back clearly better; else the share of the error that is left in
  /// [betterOrder].
  final double orderConfidence;

  /// That order, bottom first, as each layer's [Layer.order]; null without one.
  final List<int>? betterOrder;

  /// Pairs of layers that show the same.
  final List<DuplicateLayers> duplicates;

  /// Every layer, bottom first.
  final List<LayerQuality> layers;

  /// What a second run with another seed came to; null where none was made.
  final SecondTry? secondTry;
}

/// What a second run came to. Others than these constants are possible.
extension type const SecondTry(String name) implements String {
  /// These are the layers of the first run.
  static const keptFirst = SecondTry('kept_first');

  /// These are the layers of the second run.
  static const tookSecond = SecondTry('took_second');
}

/// A square of 64 pixels, smaller at the picture's edge.
final class WorstTile {
  /// Reads the server's [json].
  WorstTile.fromJson(Map<String, Object?> json)
    : rect = PixelRect.fromJson(json.need('bbox')),
      meanError = json.need('mean_error');

  /// Where it is.
  final PixelRect rect;

  /// Its mean error.
  final double meanError;
}

/// Two layers that show the same.
final class DuplicateLayers {
  /// Reads the server's [json].
  DuplicateLayers.fromJson(Map<String, Object?> json)
    : lower = json.need('lower'),
      upper = json.need('upper'),
      iou = json.need('iou'),
      colourDifference = json.need('colour_difference');

  /// [Layer.order] of the lower one.
  final int lower;

  /// [Layer.order] of the upper one.
  final int upper;

  /// Intersection over union of what they cover, 0.0 to 1.0.
  final double iou;

  /// Mean difference of their colours where both are, 0 to 255.
  final double colourDifference;
}

/// What is odd about one layer.
final class LayerQuality {
  /// Reads the server's [json].
  LayerQuality.fromJson(Map<String, Object?> json)
    : order = json.need('order'),
      visible = json.need('visible'),
      isEmpty = json.need('empty'),
      isWholePicture = json.need('whole_picture'),
      fringe = json.opt('fringe');

  /// The layer's [Layer.order].
  final int order;

  /// Share of the canvas that is this layer's as it is seen from above, 0.0 to 1.0.
  final double visible;

  /// Whether nothing on it is more than faint.
  final bool isEmpty;

  /// Whether it is the whole picture once more.
  final bool isWholePicture;

  /// How far colours of soft edges are from those of the solid pixels beside them, 0.0 to 1.0; a halo of the old background has 0.1 and more.
  /// Null without soft edges.
  final double? fringe;
}
