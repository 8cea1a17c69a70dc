from .multistage_heatmap_head import MultiStageHeatmapHead

__all__ = ['MultiStageHeatmapHead']
